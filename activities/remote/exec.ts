// Commands on a machine, at most once for each id: what is sent to begin, watch, stop and forget one, and what comes back.
import { storable } from '../../domain/text.ts';
import type { RemoteCall, Report } from './wire.ts';
import { demand, demandCount, demandId, demandSha256, demandText, readReport, remoteCall } from './wire.ts';

/** The text of `exec.sh` and of `runner.sh`, which goes with a start. */
export interface ExecScripts {
  readonly exec: string;
  readonly runner: string;
}

/** Which run: its id, and the sha256 of what was asked for under it. */
export interface RunRef {
  readonly id: string;
  readonly digest: string;
}

export interface RunSpec extends RunRef {
  /** For `bash -c`, or `sh -c` where there is no bash; up to 8 kB. */
  readonly command: string;
  /** An absolute path; the home folder when it is left out. */
  readonly cwd?: string;
  /** 0 is no limit. */
  readonly timeoutSeconds: number;
  /** How long it may print nothing; 0 is no limit. */
  readonly silenceSeconds: number;
  /** How much is kept of stdout, and of stderr. */
  readonly capBytes: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Variables that are on the machine's disk only until the command starts, readable by its user alone. */
  readonly secretEnv?: Readonly<Record<string, string>>;
  readonly stdin?: Uint8Array;
}

const LONGEST_COMMAND_BYTES = 8_192;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Begins a run, or looks at the one that has this id. Throws `InvalidRequest` for what the machine would refuse. */
export function startCommand(scripts: ExecScripts, run: RunSpec): RemoteCall {
  const { command, cwd = '', stdin = new Uint8Array() } = run;
  demandText(command, 'the command');
  demand(command !== '' && Buffer.byteLength(command) <= LONGEST_COMMAND_BYTES, 'a command has 1 to 8192 bytes');
  demandText(cwd, 'the folder');
  demand(cwd === '' || cwd.startsWith('/'), 'the folder is not an absolute path');
  const counts = [
    ['timeout_s', run.timeoutSeconds],
    ['silence_s', run.silenceSeconds],
    ['cap_bytes', run.capBytes],
    ['stdin_bytes', stdin.length],
  ] as const;
  for (const [key, value] of counts) demandCount(value, key);
  const asked = [['runner', scripts.runner], ['command', command], ['cwd', cwd], ...counts] as const;
  const variables = [...variablesOf('env', run.env), ...variablesOf('secret_env', run.secretEnv)];
  return remoteCall(scripts.exec, 'start', [...refOf(run), ...asked, ...variables], stdin);
}

/** Looks at a run. At most `headBytes` of the beginning of each stream come back. */
export function lookCommand(
  { exec }: Pick<ExecScripts, 'exec'>,
  { headBytes, ...ref }: RunRef & { readonly headBytes: number },
): RemoteCall {
  demandCount(headBytes, 'head_bytes');
  return remoteCall(exec, 'look', [...refOf(ref), ['head_bytes', headBytes]]);
}

/** Ends the process group of a run: TERM now, KILL five seconds later. An id without a run can never have one then. */
export function stopCommand({ exec }: Pick<ExecScripts, 'exec'>, ref: RunRef): RemoteCall {
  return remoteCall(exec, 'stop', refOf(ref));
}

/** Forgets runs that ended longer ago than this; at most 500 at a time. A forgotten id could run again. */
export function cleanCommand({ exec }: Pick<ExecScripts, 'exec'>, keepSeconds: number): RemoteCall {
  demandCount(keepSeconds, 'keep_s');
  return remoteCall(exec, 'clean', [['keep_s', keepSeconds]]);
}

function refOf({ id, digest }: RunRef) {
  demandId(id);
  demandSha256(digest);
  return [
    ['id', id],
    ['digest', digest],
  ] as const;
}

/** Variables of a command as arguments of a call. Throws `InvalidRequest` for what no shell can hold. */
export function variablesOf(key: string, env: Readonly<Record<string, string>> = {}) {
  return Object.entries(env).map(([name, value]) => {
    demand(NAME.test(name), `'${name}' is not the name of a variable`);
    demandText(value, `the variable ${name}`);
    return [key, `${name}=${value}`] as const;
  });
}

/** What both streams had, and the beginning of each. */
export interface RunOutput {
  /** Characters that are not UTF-8 are U+FFFD, and NUL characters are left out. */
  readonly stdout: string;
  readonly stderr: string;
  /** All that was printed, once the run has finished; what was kept of it so far, until then. */
  readonly outBytes: number;
  readonly errBytes: number;
  /** True when `stdout` or `stderr` is not all of it. */
  readonly truncated: boolean;
}

interface Seen {
  /** Another value than in an earlier report means that the machine was booted since. */
  readonly bootId: string;
  /** From a start: whether it was this call that began the run. */
  readonly launched: boolean;
}

interface Begun extends Seen, RunOutput {
  readonly startedAt: string;
  readonly stopped: boolean;
}

export interface RunFinished extends Begun {
  readonly state: 'finished';
  /** 128 and the number of the signal when one ended it. */
  readonly exitCode: number;
  readonly endedAt: string;
  readonly timedOut: 'total' | 'silence' | null;
}

/**
 * What became of a run. `setup_failed`: nothing was begun, so a retry is safe. `mismatch`: the id is that of another
 * request. `withdrawn`: stopped before it began. `interrupted`: the machine was booted since. `unknown`: what waited
 * for the command is gone, so nobody saw it end; `commandAlive` says whether it still runs.
 */
export type RunReport =
  | { readonly state: 'setup_failed'; readonly why: string }
  | (Seen & { readonly state: 'absent' | 'mismatch' })
  | (Seen & { readonly state: 'withdrawn'; readonly endedAt: string })
  | (Begun & { readonly state: 'running' | 'interrupted' })
  | (Begun & { readonly state: 'unknown'; readonly commandAlive: boolean })
  | RunFinished;

const NOTHING_RUNS = ['setup_failed', 'absent', 'mismatch', 'withdrawn'] as const;
const STATES = [...NOTHING_RUNS, 'running', 'interrupted', 'unknown', 'finished'] as const;

/** Reads what a start, a look or a stop answered. Throws `RemoteGarbled` for anything but a whole report. */
export function parseReport(text: string): RunReport {
  const report = readReport(text);
  const state = report.choice('state', STATES);
  if (state === 'setup_failed') return { state, why: report.words('why') };
  const launched = report.has('launched') && report.choice('launched', ['yes', 'no']) === 'yes';
  const seen = { bootId: report.text('boot_id'), launched };
  if (state === 'absent' || state === 'mismatch') return { state, ...seen };
  if (state === 'withdrawn') return { state, ...seen, endedAt: report.time('ended') };
  const stopped = report.has('stopped') && report.choice('stopped', ['yes']) === 'yes';
  const begun = { ...seen, ...outputOf(report), startedAt: report.time('started'), stopped };
  if (state === 'unknown') {
    return { state, ...begun, commandAlive: report.choice('command', ['alive', 'gone']) === 'alive' };
  }
  if (state !== 'finished') return { state, ...begun };
  const timedOut = report.has('timed_out') ? report.choice('timed_out', ['total', 'silence']) : null;
  return { state, ...begun, exitCode: report.count('exit'), endedAt: report.time('ended'), timedOut };
}

function outputOf(report: Report): RunOutput {
  const [out, err] = [report.bytes('stdout'), report.bytes('stderr')];
  const [outBytes, errBytes] = [report.count('out_bytes'), report.count('err_bytes')];
  const truncated = out.length < outBytes || err.length < errBytes;
  return { stdout: textOf(out, outBytes), stderr: textOf(err, errBytes), outBytes, errBytes, truncated };
}

/** Where the text was cut, the character that was cut through is left out; so is what cannot be stored. */
function textOf(bytes: Buffer, allBytes: number): string {
  const cut = bytes.length < allBytes;
  return storable(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: cut }));
}

export type CleanReport =
  | { readonly state: 'setup_failed'; readonly why: string }
  | { readonly state: 'cleaned'; readonly removed: readonly string[] };

/** Reads what a clean answered: the ids that are forgotten. Throws `RemoteGarbled`. */
export function parseCleaned(text: string): CleanReport {
  const report = readReport(text);
  const state = report.choice('state', ['setup_failed', 'cleaned']);
  return state === 'cleaned' ? { state, removed: report.all('removed') } : { state, why: report.words('why') };
}
