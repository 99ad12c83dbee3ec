// Starts PostgreSQL, Temporal, the sandbox cloud, worker and API, keeps them running, and stops them in order.
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { hostFlaw, readEnv } from '../config/env.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { removeAddresses, writeAddresses, type Addresses } from './addresses.ts';
import { baseEnv, ownTemporalEnv, regionOf, sandboxCloudEnv } from './child-env.ts';
import { endLeftProgram, ownProgram, type OwnProgram } from './own-programs.ts';
import { isFree, whyTaken } from './port-use.mjs';
import { keepPorts } from './ports.ts';
import { endLeftPostgres, postgres } from './postgres.ts';
import type { Program } from './program.ts';
import { Refusal } from './refusal.ts';
import { Supervisor } from './supervisor.ts';
import { endLeftTemporal, profileIn, temporalServer } from './temporal-server.ts';

// Together below the 10 s in which a stop must be over.
const FIRST_GRACE_MS = 7_000;
const LAST_GRACE_MS = 2_000;

// Relative to the root.
const SCRIPTS = {
  sandbox: 'dist/local/sandbox/main.js',
  worker: 'dist/worker/main.js',
  api: 'dist/api/main.js',
};

const sshAccess = z.object({ username: z.string(), key_path: z.string(), port: z.number() });
const sandboxReady = z.object({ ec2: z.string(), effects: z.string(), ssh: sshAccess.optional() });

export interface Progress {
  line(text: string): void;
  step(
    name: string,
    text: string,
    options?: { readonly log?: string; readonly quiet?: boolean },
  ): {
    done(text?: string): void;
    failed(text?: string): void;
  };
}

export interface LaunchOptions {
  readonly root: string;
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly cloud: 'sandbox' | 'aws';
  /** The Temporal CLI; without it TEMPORAL_ADDRESS names a server. */
  readonly cli: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly progress: Progress;
}

export interface Started {
  readonly addresses: Addresses;
  /** How long a task waits for a decision, for a person who is about to try one. */
  readonly approvalSeconds: number;
}

type Ports = (name: 'temporal' | 'ui' | 'postgres' | 'sandbox') => number;

export class Launcher {
  readonly #options: LaunchOptions;
  /** What stops first, and what it needs until then. */
  readonly #users: Supervisor[] = [];
  readonly #servers: Supervisor[] = [];
  readonly #parts: Promise<unknown>[] = [];
  readonly #stopping = new AbortController();

  constructor(options: LaunchOptions) {
    this.#options = options;
  }

  /** Settles when everything answers; whoever calls stops what was started when it rejects. */
  async start(): Promise<Started> {
    const { dataDir, host, port, env, progress } = this.#options;
    const { confirmation } = checkedConfig(baseEnv(env, dataDir));
    removeAddresses(dataDir);
    mkdirSync(join(dataDir, 'run'), { recursive: true, mode: 0o700 });
    await this.#endLeftovers();
    if (!(await isFree(port, host))) throw new Refusal(whyTaken(port));
    const wanted = { temporal: 7233, ui: 8233, postgres: undefined, sandbox: undefined };
    const ports = await keepPorts(dataDir, wanted, (line) => progress.line(`! ${line}`));

    const [database, temporal, sandbox] = await Promise.all([
      this.#database(ports),
      this.#temporal(ports),
      this.#sandbox(ports),
    ]);
    const given = { ...this.#environment(temporal, sandbox), DATABASE_URL: database, HOST: host, PORT: String(port) };
    await Promise.all([
      this.#own({ name: 'worker', script: SCRIPTS.worker, env: given }, this.#users),
      this.#own({ name: 'api', script: SCRIPTS.api, env: given }, this.#users),
    ]);

    const addresses = { api: urlOf(host, port), temporal, database, ...(sandbox && { sandbox }) };
    this.#stopping.signal.throwIfAborted();
    writeAddresses(dataDir, addresses);
    return { addresses, approvalSeconds: confirmation.timeout_seconds };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    removeAddresses(this.#options.dataDir);
    await Promise.all(this.#users.map((supervisor) => supervisor.stop(FIRST_GRACE_MS)));
    await Promise.all(this.#servers.map((supervisor) => supervisor.stop(LAST_GRACE_MS)));
    // A part whose files are being made finds out afterwards that nobody wants it any more.
    await Promise.allSettled(this.#parts);
  }

  /** Ports are only looked at once nothing of an earlier run holds them. */
  async #endLeftovers(): Promise<void> {
    const { dataDir } = this.#options;
    const own = Object.entries(SCRIPTS).map(([name, script]) => ({ name, script }));
    await Promise.all([
      ...own.map((program) => endLeftProgram(this.#options, program)),
      endLeftTemporal(join(dataDir, 'temporal')),
      endLeftPostgres(join(dataDir, 'postgres')),
    ]);
  }

  async #database(ports: Ports): Promise<string> {
    const given = this.#options.env['DATABASE_URL'];
    if (given) return given;
    const dir = join(this.#options.dataDir, 'postgres');
    const log = this.#log('postgres');
    let url = '';
    await this.#run('postgres', log, this.#servers, async () => {
      const made = await postgres({ dir, log, port: ports('postgres') });
      url = made.url();
      return made.program;
    });
    return url;
  }

  async #temporal(ports: Ports): Promise<Addresses['temporal']> {
    const { cli, env, dataDir } = this.#options;
    const namespace = env['TEMPORAL_NAMESPACE'] || 'default';
    if (!cli) return { address: env['TEMPORAL_ADDRESS'] ?? '', namespace };
    const log = this.#log('temporal');
    const numbers = { port: ports('temporal'), uiPort: ports('ui') };
    await this.#run('temporal', log, this.#servers, async () => {
      const dir = join(dataDir, 'temporal');
      return (await temporalServer({ cli, dir, log, namespace, ...numbers })).program;
    });
    return { address: `127.0.0.1:${numbers.port}`, namespace, ui: `http://127.0.0.1:${numbers.uiPort}` };
  }

  async #sandbox(ports: Ports): Promise<Addresses['sandbox']> {
    const { cloud, dataDir, env } = this.#options;
    if (cloud === 'aws') return undefined;
    const flags = {
      '--port': String(ports('sandbox')),
      '--data-dir': join(dataDir, 'sandbox'),
      '--region': regionOf(env),
    };
    const program = { name: 'sandbox', script: SCRIPTS.sandbox, args: Object.entries(flags).flat() };
    const message = await this.#own({ ...program, env: baseEnv(env, dataDir) }, this.#servers);
    return sandboxReady.parse(message);
  }

  /** The user's, without what leads to other servers than the ones that were started. */
  #environment(temporal: Addresses['temporal'], sandbox: Addresses['sandbox']): NodeJS.ProcessEnv {
    const { cli, dataDir, env } = this.#options;
    const base = baseEnv(env, dataDir);
    const { address, namespace } = temporal;
    const own = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
    const reached = cli ? { ...ownTemporalEnv(base, profileIn(join(dataDir, 'temporal'))), ...own } : base;
    return sandbox ? sandboxCloudEnv(reached, sandbox.ec2) : reached;
  }

  #own(program: OwnProgram, among: Supervisor[]): Promise<unknown> {
    return this.#run(program.name, this.#log(program.name), among, () => ownProgram(this.#options, program));
  }

  #run(name: string, log: string, among: Supervisor[], make: () => Program | Promise<Program>): Promise<unknown> {
    const part = this.#start(name, log, among, make);
    this.#parts.push(part);
    return part;
  }

  async #start(
    name: string,
    log: string,
    among: Supervisor[],
    make: () => Program | Promise<Program>,
  ): Promise<unknown> {
    const { progress, root } = this.#options;
    const step = progress.step(name, '', { log: relative(root, log), quiet: true });
    try {
      const program = await make();
      this.#stopping.signal.throwIfAborted();
      const supervisor = new Supervisor(program, (line) => progress.line(`! ${line}`));
      among.push(supervisor);
      const message = await supervisor.start();
      step.done();
      return message;
    } catch (error) {
      step.failed(this.#stopping.signal.aborted ? 'stopped' : 'does not start');
      throw error;
    }
  }

  #log(name: string): string {
    return join(this.#options.dataDir, 'logs', `${name}.log`);
  }
}

/** What worker and API would refuse is refused before anything is started. */
function checkedConfig(env: NodeJS.ProcessEnv): Config {
  const settings = readEnv(env);
  const flaw = hostFlaw(settings);
  if (flaw) throw new Refusal(flaw);
  return loadConfig(settings.configPath);
}

function urlOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
