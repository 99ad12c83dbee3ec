# Fermata's API and worker in one image: the workflow bundle is built here, so that no start ever bundles by itself.
# glibc is needed: @temporalio/core-bridge has no build for musl.
FROM node:22.23.2-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# The optional packages are PostgreSQL's binaries, for `npm start` on one machine, and what the compilers here need.
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY domain domain
COPY operations operations
COPY config config
COPY clients clients
COPY store store
COPY service service
COPY workflows workflows
COPY activities activities
COPY api api
COPY worker worker
RUN npx tsc -p . && node dist/worker/bundle.js

FROM node:22.23.2-bookworm-slim AS dependencies
WORKDIR /app
ENV NODE_ENV=production
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:22.23.2-bookworm-slim
WORKDIR /app
# CA certificates for the native client of Temporal, which does not use those that Node brings.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/* \
  && install --directory --owner=node --group=node /data
ENV NODE_ENV=production FERMATA_DATA_DIR=/data CONFIG_PATH=/app/config.json
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json config.json ./
COPY store/migrations store/migrations
COPY activities/remote activities/remote
COPY api/docs api/docs
USER node
EXPOSE 8000
# Health checks are in temporal-docker-compose.yml, since the API and the worker need different ones.
CMD ["node", "dist/api/main.js"]
