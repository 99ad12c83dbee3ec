// Real Temporal and PostgreSQL servers for tests and benches, which may stop, kill and restart them.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../local/ports.ts';
import { postgres, type PostgresOptions } from '../../local/postgres.ts';
import { startProgram, type Program, type Running } from '../../local/program.ts';
import { temporalServer } from '../../local/temporal-server.ts';

const STOP_MS = 5_000;
const START_MS = 20_000;
const PAUSE_MS = 100;

export interface Server {
  readonly pid: number;
  stop(): Promise<void>;
  kill9(): Promise<void>;
  /** On the same port and data, whether it runs, was stopped or was killed. */
  restart(): Promise<void>;
}

export interface ServerOptions {
  /** A folder of its own, made if need be; what the server knew is there again when it is started there again. */
  readonly dir: string;
  readonly port?: number;
}

export interface TemporalHandle extends Server {
  readonly address: string;
}

export interface PostgresHandle extends Server {
  /** Superuser; the database is `postgres` unless another is named. */
  readonly url: string;
  databaseUrl(database: string): string;
}

export async function startTemporal(options: ServerOptions & { readonly cli?: string }): Promise<TemporalHandle> {
  const cli = options.cli ?? process.env['TEMPORAL_CLI_PATH'];
  if (!cli) throw new Error('TEMPORAL_CLI_PATH is not set: run the tests with `npm test`');
  const port = options.port ?? (await freePort());
  const log = join(options.dir, 'temporal.log');
  const { program, address } = await temporalServer({ cli, dir: options.dir, port, log, namespace: 'default' });
  return Object.assign(await keep(program), { address });
}

export async function startPostgres(
  options: ServerOptions & Pick<PostgresOptions, 'settings' | 'user'>,
): Promise<PostgresHandle> {
  const port = options.port ?? (await freePort());
  const { program, url } = await postgres({ ...options, port, log: join(options.dir, 'postgres.log') });
  return Object.assign(await keep(program), { url: url('postgres'), databaseUrl: url });
}

async function keep(program: Program): Promise<Server> {
  let running: Running | undefined = await startPatiently(program);
  return {
    get pid() {
      return running?.pid ?? 0;
    },
    stop: async () => {
      await running?.stop(STOP_MS);
      running = undefined;
    },
    kill9: async () => {
      await running?.kill();
      running = undefined;
    },
    restart: async () => {
      await running?.stop(STOP_MS);
      running = await startPatiently(program);
    },
  };
}

/** A server that was killed may leave children that hold its memory for a moment longer: it is tried again. */
async function startPatiently(program: Program): Promise<Running> {
  const patience = AbortSignal.timeout(START_MS);
  const late = new Promise<never>((_resolve, reject) =>
    patience.addEventListener('abort', () => reject(patience.reason)),
  );
  for (;;) {
    const running = await startProgram(program);
    try {
      await Promise.race([running.ready, late]);
      return running;
    } catch (error) {
      await running.kill();
      if (patience.aborted) throw new Error(`${program.name} does not start: see ${program.log}`, { cause: error });
      await sleep(PAUSE_MS);
    }
  }
}
