// A machine for jobs: launches them, looks at them, follows their logs, and ends their processes one by one.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCleaned } from '../../activities/remote/exec.ts';
import type { JobAsk, JobLaunch } from '../../activities/remote/job.ts';
import { cleanJobs, jobScripts, launchJob, logJob, lookJob, signalJob } from '../../activities/remote/job.ts';
import type { JobLook, JobReport, JobState, JobStatus } from '../../activities/remote/job-report.ts';
import { parseJob, parseLog, parseLook } from '../../activities/remote/job-report.ts';
import type { RemoteCall } from '../../activities/remote/wire.ts';
import { assetPath } from '../../config/paths.ts';
import { until } from '../kit/until.ts';
import { Machine, sha256, SHELLS } from './machine.ts';

export const JOB_SCRIPTS = jobScripts((name) => readFileSync(assetPath('activities', 'remote', `${name}.sh`), 'utf8'));
/** A command that ends when the test says so. */
export const UNTIL_GO = 'until [ -e "$HOME/go" ]; do sleep 0.05; done';

type Asked = Partial<JobLaunch> & { readonly id: string; readonly command: string };

/** `job-` and the name, filled up. */
export const jobId = (name: string) => `job-${name.padEnd(12, '0')}`;

/** A job without retries and limits, unless it says so. The same name is the same request. */
export function jobSpec(job: Asked): JobLaunch {
  return {
    generation: 1,
    resume: false,
    maxRetries: 0,
    backoffSeconds: 0,
    backoffCapSeconds: 60,
    noRetryExitCodes: [],
    timeoutSeconds: 0,
    silenceSeconds: 0,
    logCapBytes: 1_000_000,
    ...job,
    ...refOf(job.id),
  };
}

const refOf = (name: string) => ({ id: jobId(name), digest: sha256(name) });

/** A status of a job that was launched; anything else fails the test. */
export function statusOf(report: JobReport): JobStatus {
  if (!('attempts' in report)) throw new Error(`no job was launched: ${JSON.stringify(report)}`);
  return report;
}

/** A machine for each shell in each test of a file; whatever is left on one of them fails the test. */
export function machinesForEachTest(): { each(check: (machine: JobMachine) => Promise<void>): Promise<void> } {
  let machines: JobMachine[] = [];
  beforeEach(() => {
    machines = SHELLS.map((shell) => new JobMachine(shell));
  });
  afterEach(async () => {
    // One that fails must not keep the other from being cleaned up.
    const closed = await Promise.allSettled(machines.map((machine) => machine.close()));
    for (const one of closed) if (one.status === 'rejected') throw one.reason;
  });
  return {
    each: async (check) => {
      await Promise.all(machines.map((machine) => check(machine)));
    },
  };
}

export class JobMachine extends Machine {
  /** What a call answers; it must say nothing else. */
  async #ask(call: RemoteCall, env?: Readonly<Record<string, string>>): Promise<Buffer> {
    const { code, stdout, stderr } = await this.run(call, env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  }

  async launch(job: Asked, env?: Readonly<Record<string, string>>, scripts = JOB_SCRIPTS): Promise<JobReport> {
    return parseJob((await this.#ask(launchJob(scripts, jobSpec(job)), env)).toString());
  }

  /** Launches that have all come to where they would claim their job before the first of them may. */
  async launchTogether(jobs: readonly Asked[]): Promise<JobReport[]> {
    const calls = jobs.map((job) => this.begin(launchJob(JOB_SCRIPTS, jobSpec(job))));
    const stage = join(this.home, '.fermata', 'stage');
    await until('all are prepared', () => {
      const ready = readdirSync(stage).filter((name) => existsSync(join(stage, name, 'new', 'stdin')));
      return ready.length === jobs.length;
    });
    for (const { stdin } of calls) stdin.end();
    return Promise.all(calls.map(async ({ answer }) => parseJob((await answer).stdout.toString())));
  }

  async lookFurther(name: string, env?: Readonly<Record<string, string>>): Promise<JobLook> {
    const call = lookJob(JOB_SCRIPTS, { ...refOf(name), logBytes: 4_000 });
    return parseLook((await this.#ask(call, { FERMATA_SPOT_NOTICE_FILE: '/dev/null', ...env })).toString());
  }

  async seen(name: string): Promise<JobReport> {
    return (await this.lookFurther(name)).job;
  }

  async status(name: string): Promise<JobStatus> {
    return statusOf(await this.seen(name));
  }

  async ask(name: string, what: JobAsk): Promise<JobReport> {
    return parseJob((await this.#ask(signalJob(JOB_SCRIPTS, { ...refOf(name), what }))).toString());
  }

  async clean(successSeconds: number, otherSeconds: number) {
    return parseCleaned((await this.#ask(cleanJobs(JOB_SCRIPTS, { successSeconds, otherSeconds }))).toString());
  }

  async log(name: string, offset: number, maxBytes = 1_000_000) {
    return parseLog(await this.#ask(logJob(JOB_SCRIPTS, { id: jobId(name), offset, maxBytes })));
  }

  /** The whole log that is kept. */
  async wholeLog(name: string): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for (let offset = 0; ;) {
      const piece = await this.log(name, offset);
      if (!piece || piece.bytes.length === 0) return Buffer.concat(pieces);
      pieces.push(piece.bytes);
      offset = piece.nextOffset;
    }
  }

  /** What the command itself printed, without our lines about attempts. */
  async printed(name: string): Promise<string> {
    return (await this.wholeLog(name))
      .toString()
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('[fermata] '))
      .join('\n');
  }

  /** Waits for what the runner writes down. */
  async writesState(name: string, state: JobState, generation = 1): Promise<void> {
    await until(`${name} is ${state}`, () => this.text(name, `g${generation}/state`).startsWith(`state ${state}\n`));
  }

  /** Waits for a state that a look says. */
  becomesState(name: string, state: JobState, timeoutMs?: number): Promise<JobStatus> {
    return until(
      `${name} is ${state}`,
      async () => {
        const seen = await this.status(name);
        return seen.state === state && seen;
      },
      timeoutMs,
    );
  }

  /** Waits for the state that the runner writes; less work for the machine than looking. */
  async ends(name: string, generation = 1): Promise<JobStatus> {
    await until(`${name} has ended`, () =>
      /^state (completed|failed|cancelled|interrupted)/.test(this.text(name, `g${generation}/state`)),
    );
    return this.status(name);
  }

  /** A file of a job. */
  jobPath(name: string, ...path: readonly string[]): string {
    return join(this.home, '.fermata', 'jobs', jobId(name), ...path);
  }

  text(name: string, ...path: readonly string[]): string {
    const file = this.jobPath(name, ...path);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** Waits for a file below the home; returns what is in it. */
  wrote(file: string): Promise<string> {
    const path = join(this.home, file);
    return until(`${file} is written`, () => existsSync(path) && readFileSync(path, 'utf8'));
  }

  /** The number of the runner, in `pid`, or of the command, in `child`. */
  numberOf(name: string, what: 'pid' | 'child', generation = 1): Promise<number> {
    return until(`${name} has a ${what}`, () => {
      return Number(this.text(name, `g${generation}`, what).split(' ')[0]) || undefined;
    });
  }

  async send(name: string, what: 'pid' | 'child', signal: NodeJS.Signals): Promise<void> {
    process.kill(await this.numberOf(name, what), signal);
  }
}
