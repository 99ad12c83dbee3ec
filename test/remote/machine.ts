// A machine for the scripts: a home of its own, a shell that is its `sh`, and an eye on every process that it leaves.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecScripts, RunReport, RunSpec } from '../../activities/remote/exec.ts';
import { lookCommand, parseReport, startCommand, stopCommand } from '../../activities/remote/exec.ts';
import type { RemoteCall } from '../../activities/remote/wire.ts';
import { assetPath } from '../../config/paths.ts';
import { until } from '../kit/until.ts';

const script = (name: string) => readFileSync(assetPath('activities', 'remote', name), 'utf8');

export const SCRIPTS: ExecScripts = { exec: script('exec.sh'), runner: script('runner.sh') };
export const FILE_SCRIPT = script('file.sh');
export const SHELLS = ['dash', 'bash'] as const;
export const FIRST_BOOT = '11111111-1111-1111-1111-111111111111';

export const sha256 = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');

/** Runs a program of the system to its end; true when it succeeded. */
export function succeeds(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args).status === 0;
}

export interface Answer {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export class Machine {
  readonly home: string;
  readonly bootIdFile: string;
  readonly #dir: string;
  readonly #shell: string;
  readonly #bin: string;

  constructor(shell: string) {
    this.#dir = mkdtempSync(join(tmpdir(), 'fermata-remote-'));
    this.#shell = `/bin/${shell}`;
    this.home = join(this.#dir, 'home');
    this.#bin = join(this.#dir, 'bin');
    this.bootIdFile = join(this.#dir, 'boot_id');
    for (const dir of [this.home, this.#bin]) mkdirSync(dir);
    symlinkSync(this.#shell, join(this.#bin, 'sh'));
    writeFileSync(this.bootIdFile, `${FIRST_BOOT}\n`);
  }

  /** As sshd does it: the login shell gets the command as one argument, and stdin is no terminal. Stdin stays open. */
  begin(call: RemoteCall, env: Readonly<Record<string, string>> = {}) {
    const child = spawn(this.#shell, ['-c', call.command], {
      cwd: this.home,
      env: {
        PATH: `${this.#bin}:/usr/bin:/bin`,
        HOME: this.home,
        FERMATA_BOOT_ID_FILE: this.bootIdFile,
        FERMATA_TEST_MACHINE: this.#dir,
        ...env,
      },
    });
    const answer = new Promise<Answer>((resolve, reject) => {
      const out: Buffer[] = [];
      let stderr = '';
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, stdout: Buffer.concat(out), stderr }));
    });
    // A script that refuses reads no further.
    child.stdin.on('error', () => undefined);
    child.stdin.write(call.stdin);
    return { stdin: child.stdin, answer };
  }

  run(call: RemoteCall, env: Readonly<Record<string, string>> = {}, body?: Uint8Array): Promise<Answer> {
    const { stdin, answer } = this.begin(call, env);
    stdin.end(body);
    return answer;
  }

  /** What a call of exec.sh reports; it must say nothing else. */
  async report(call: RemoteCall, env: Readonly<Record<string, string>> = {}): Promise<RunReport> {
    const { code, stdout, stderr } = await this.run(call, env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return parseReport(stdout.toString());
  }

  start(run: Partial<RunSpec> & { readonly id: string; readonly command: string }): Promise<RunReport> {
    return this.report(startCommand(SCRIPTS, specOf(run)));
  }

  look(id: string, headBytes = 10_000): Promise<RunReport> {
    return this.report(lookCommand(SCRIPTS, { ...refOf(id), headBytes }));
  }

  stop(id: string): Promise<RunReport> {
    return this.report(stopCommand(SCRIPTS, refOf(id)));
  }

  /** Waits for a state; returns the report that has it. */
  async becomes<S extends RunReport['state']>(id: string, state: S): Promise<Extract<RunReport, { state: S }>> {
    if (state === 'finished') await until(`${id} has ended`, () => existsSync(this.path(id, 'exit')));
    return until(`${id} is ${state}`, async () => {
      const report = await this.look(id);
      return isIn(report, state) ? report : undefined;
    });
  }

  /** Starts a run and waits for its end. */
  async finished(run: Partial<RunSpec> & { readonly id: string; readonly command: string }) {
    await this.start(run);
    return this.becomes(run.id, 'finished');
  }

  /** A PATH with everything but one program. */
  without(program: string): string {
    const folder = mkdtempSync(join(this.#dir, 'tools-'));
    for (const name of readdirSync('/usr/bin')) {
      if (name !== program && name !== 'sh') symlinkSync(join('/usr/bin', name), join(folder, name));
    }
    return `${this.#bin}:${folder}`;
  }

  /** A file of a run. */
  path(id: string, name = ''): string {
    return join(this.home, '.fermata', 'runs', id, name);
  }

  /** Waits until the command of a run has begun; returns the number of its process. */
  hasBegun(id: string): Promise<number> {
    return until(`${id} has begun`, () => this.#numberIn(id, 'child'));
  }

  /** Kills the runner of a run, which is in `pid`, or its command, in `child`. */
  async kill(id: string, name: 'pid' | 'child'): Promise<void> {
    process.kill(await until(`${id} has a ${name}`, () => this.#numberIn(id, name)), 'SIGKILL');
  }

  /** Undefined while it is not written; 0 would mean everybody of our own group. */
  #numberIn(id: string, name: string): number | undefined {
    return Number(readFileSync(this.path(id, name), 'utf8').split(' ')[0]) || undefined;
  }

  /** Every process that was started on this machine and still lives, as its command line. */
  processes(): { readonly pid: number; readonly command: string }[] {
    return readdirSync('/proc').flatMap((entry) => {
      if (!/^\d+$/.test(entry)) return [];
      try {
        if (!readFileSync(`/proc/${entry}/environ`, 'utf8').includes(`FERMATA_TEST_MACHINE=${this.#dir}\0`)) return [];
        return [{ pid: Number(entry), command: readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ') }];
      } catch {
        return [];
      }
    });
  }

  endAll(): void {
    for (const { pid } of this.processes()) process.kill(pid, 'SIGKILL');
  }

  /** Everything ends by itself; whatever does not is shown, and ended. */
  async close(): Promise<void> {
    try {
      await until('no process is left', () => this.processes().length === 0, 3_000).catch(() => undefined);
      expect(this.processes()).toEqual([]);
    } finally {
      this.endAll();
      rmSync(this.#dir, { recursive: true, force: true });
    }
  }
}

function isIn<S extends RunReport['state']>(report: RunReport, state: S): report is Extract<RunReport, { state: S }> {
  return report.state === state;
}

/** An id has the same digest each time. */
export function refOf(id: string) {
  return { id, digest: sha256(id) };
}

export function specOf(run: Partial<RunSpec> & { readonly id: string; readonly command: string }): RunSpec {
  return { ...refOf(run.id), timeoutSeconds: 0, silenceSeconds: 0, capBytes: 65_536, ...run };
}
