// Opens what every door needs: store, Temporal and watch, behind the one way in.
import type { Log } from '../clients/log.ts';
import { openLog } from '../clients/log.ts';
import type { Postgres } from '../clients/postgres.ts';
import { openPostgres } from '../clients/postgres.ts';
import type { Temporal } from '../clients/temporal.ts';
import { openTemporal } from '../clients/temporal.ts';
import type { Env } from '../config/env.ts';
import { ConfigError } from '../config/load.ts';
import { policyOf } from '../config/policy.ts';
import type { Config } from '../config/schema.ts';
import type { Policy } from '../domain/policy.ts';
import type { Waker } from './waker.ts';
import { openWaker } from './waker.ts';
import type { Watch } from './watch.ts';
import { openWatch } from './watch.ts';

export interface Service {
  readonly policy: Policy;
  readonly taskQueue: string;
  readonly withSearchAttributes: boolean;
  readonly postgres: Postgres;
  readonly temporal: Temporal;
  readonly watch: Watch;
  readonly waker: Waker;
  readonly log: Log;
  close(): Promise<void>;
}

/** Where the database is. Throws {@link ConfigError} when nobody said so. */
export function databaseUrlOf(env: Env): string {
  if (env.databaseUrl !== undefined) return env.databaseUrl;
  throw new ConfigError(
    'DATABASE_URL is not set: this process needs PostgreSQL. Use `npm start` for everything on one machine.',
  );
}

/** Connects; nothing is asked yet, so this succeeds while everything else still starts. */
export function open(config: Config, env: Env): Service {
  const url = databaseUrlOf(env);
  const postgres = openPostgres(url);
  const temporal = openTemporal({ address: env.temporalAddress, namespace: env.temporalNamespace });
  const watch = openWatch(url);
  const waker = openWaker(temporal);
  return {
    policy: policyOf(config),
    taskQueue: env.taskQueue,
    withSearchAttributes: config.temporal.search_attributes,
    postgres,
    temporal,
    watch,
    waker,
    log: openLog('api', config.logging.level),
    close: async () => {
      waker.close();
      await watch.close();
      await Promise.allSettled([postgres.close(), temporal.close()]);
    },
  };
}
