// The Express app: the order of middleware, and every route.
import express from 'express';
import type { Express } from 'express';
import helmet from 'helmet';
import { pinoHttp } from 'pino-http';
import type { Service } from '../service/open.ts';
import { corsHandlers } from './cors.ts';
import { docRoutes } from './docs.ts';
import { errorHandler, requestIdOf } from './errors.ts';
import { eventRoutes } from './routes/events.ts';
import { fileRoutes } from './routes/files.ts';
import { fleetRoutes } from './routes/fleet.ts';
import { jobRoutes } from './routes/jobs.ts';
import { memberRoutes } from './routes/members.ts';
import { systemRoutes } from './routes/system.ts';
import { taskRoutes } from './routes/tasks.ts';
import { addRoutes } from './routing.ts';

export interface AppParts {
  readonly service: Service;
  readonly corsOrigins: readonly string[];
}

/** Builds the app; it listens nowhere yet. */
export function createApp({ service, corsOrigins }: AppParts): Express {
  const app = express();
  app.disable('x-powered-by');
  // Tasks have ETags of their own; a hash of every body would only cost time.
  app.disable('etag');
  // Before anything is used: the router is made with these settings at the first use.
  app.enable('strict routing');
  app.enable('case sensitive routing');
  app.use((request, response, next) => {
    const requestId = requestIdOf(request);
    response.locals.requestId = requestId;
    response.set('X-Request-Id', requestId);
    next();
  });
  app.use(
    pinoHttp({
      logger: service.log,
      genReqId: (_, response) => String(response.getHeader('x-request-id') ?? ''),
      customLogLevel: (_, response) => (response.statusCode >= 500 ? 'warn' : 'debug'),
      serializers: {
        req: ({ id, method, url }: { id: string; method: string; url: string }) => ({ id, method, url }),
        res: ({ statusCode }: { statusCode: number }) => ({ statusCode }),
      },
    }),
  );
  app.use(helmet({ crossOriginResourcePolicy: { policy: 'cross-origin' } }));
  app.use(...corsHandlers(corsOrigins));
  addRoutes(app, {
    ...systemRoutes(service),
    ...taskRoutes(service),
    ...memberRoutes(service),
    ...fileRoutes(service),
    ...jobRoutes(service),
    ...fleetRoutes(service),
    ...eventRoutes(service),
    ...docRoutes(),
  });
  app.use(errorHandler);
  return app;
}
