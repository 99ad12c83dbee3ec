// What tests of SSH begin with: an address of a machine, clients that are closed at the end, and failures as data.
import type { Ran, RunRequest, Ssh, SshAddress, SshOptions } from '../../clients/ssh/index.ts';
import { openSsh } from '../../clients/ssh/index.ts';

export interface Machine {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly keyPath: string;
  readonly fingerprint: string;
  stop(): Promise<void>;
}

/** The address of a machine, with its own key and the host key that it has. */
export function addressOf(machine: Omit<Machine, 'stop'>): SshAddress {
  const { host, port, username, keyPath, fingerprint } = machine;
  return { host, port, username, auth: { kind: 'key', path: keyPath }, hostKey: { fingerprints: [fingerprint] } };
}

/** What a promise was rejected with: the type and the details of a failure. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    (value) => ({ resolved: value }),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) return error;
  return { type: Reflect.get(error, 'type'), ...Object(Reflect.get(error, 'details')) };
}

/** A fingerprint of no key. */
export const OTHER_KEY = `SHA256:${'A'.repeat(43)}`;

export const MEGABYTE = 1_000_000;

export interface Bench {
  machine(): Machine;
  address(): SshAddress;
  /** A client that is closed after the test. */
  open(options?: Partial<SshOptions>): Ssh;
  run(ssh: Ssh, command: string, more?: Partial<RunRequest>): Promise<Ran>;
}

/** Starts a machine before the tests around it, and stops it after them; Node must have had nothing to warn of. */
export function benchOf(start: () => Promise<Machine>): Bench {
  let machine: Machine | undefined;
  const opened: Ssh[] = [];
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  beforeAll(async () => {
    process.on('warning', onWarning);
    machine = await start();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((ssh) => ssh.close()));
  });
  afterAll(async () => {
    process.off('warning', onWarning);
    await machine?.stop();
    expect(warnings).toEqual([]);
  });
  const started = () => {
    if (!machine) throw new Error('the machine was not started');
    return machine;
  };
  return {
    machine: started,
    address: () => addressOf(started()),
    open: (options) => {
      const ssh = openSsh(options);
      opened.push(ssh);
      return ssh;
    },
    run: (ssh, command, more = {}) =>
      ssh.run(addressOf(started()), { command, timeoutMs: 20_000, capBytes: MEGABYTE, ...more }),
  };
}
