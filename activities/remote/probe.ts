// Looks at a machine: the command that is sent to it, and what its answer says. Whatever comes back, nothing throws.
import type { CustomSays, Gpu, GpuApp, GpuSight, ProbeValues } from '../../domain/probe.ts';
import { storable } from '../../domain/text.ts';

/** What differs from member to member. */
export interface ProbeRequest {
  /** Names of programs; one that holds a newline or a NUL is not looked for. */
  readonly processNames: readonly string[];
  /** Prints `busy` or `idle`. */
  readonly custom: { readonly command: string; readonly timeoutS: number } | null;
}

/** A command line without anything of the caller's in it, and what goes to its stdin. */
export interface ProbeCommand {
  readonly command: string;
  readonly stdin: Uint8Array;
  /** When the machine itself gives up, ms; whoever waits should wait a little longer. */
  readonly limitMs: number;
}

/** For all that the script asks; only the member's own command may ask for more. */
const LIMIT_S = 8;
/** For what is done before the member's command starts, and for its end. */
const AROUND_CUSTOM_S = 4;
const LAUNCHER =
  'if timeout -k 1 1 true 2>/dev/null; then exec timeout -k 1 "$1" sh -c "$2" fermata; fi; exec sh -c "$2" fermata';
/** The kernel keeps so many bytes of a name. */
const COMM_BYTES = 15;
const MOST_NAMES = 64;

/** The command for one look with the text of `probe.sh`; it ends by itself, whatever hangs on the machine, where that has a `timeout` program. */
export function probeCommand(script: string, request: ProbeRequest): ProbeCommand {
  const limitS = Math.max(LIMIT_S, (request.custom?.timeoutS ?? 0) + AROUND_CUSTOM_S);
  const names = askedFor(request).map((name) => Buffer.concat([kernelName(name), Buffer.from('\n')]));
  const header = [
    `processes ${Buffer.concat(names).toString('base64')}`,
    ...(request.custom === null
      ? []
      : [`custom ${base64(request.custom.command)}`, `custom_timeout_s ${base64(String(request.custom.timeoutS))}`]),
  ];
  return {
    command: `sh -c ${quoted(LAUNCHER)} fermata ${limitS} ${quoted(script)}`,
    stdin: Buffer.from(`${header.join('\n')}\n\n`),
    limitMs: (limitS + 1) * 1000,
  };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const kernelName = (name: string) => Buffer.from(name).subarray(0, COMM_BYTES);

function askedFor({ processNames }: ProbeRequest): string[] {
  return processNames.filter((name) => name !== '' && !/[\n\0]/.test(name)).slice(0, MOST_NAMES);
}

/** Reads what the script printed; `at` is when, ISO. What is missing or makes no sense is unreadable. */
export function parseProbe(text: string, { request, at }: { request: ProbeRequest; at: string }): ProbeValues {
  const { line, lines, complete } = answerOf(text);
  const beforeS = number(line('uptime_before'));
  const uptimeS = number(line('uptime_after'));
  const counts = new Map(
    lines('process')
      .map((value) => value.split(' ', 2))
      .map(([index, count]) => [index, count]),
  );
  return {
    at,
    complete,
    gpu: gpuSight(line),
    cpuPercent: cpuPercent(line('cpu_before'), line('cpu_after')),
    cpuCores: number(line('cores')) || null,
    networkBytesPerSecond: rate(
      number(line('net_before')),
      number(line('net_after')),
      beforeS === null || uptimeS === null ? null : uptimeS - beforeS,
    ),
    logins: number(line('logins')),
    jobHeartbeatAgeS: heartbeatAge(line('heartbeat')),
    runsInFlight: number(line('runs')),
    processes: askedFor(request).flatMap((name, index) => {
      const count = number(counts.get(String(index)));
      return count === null ? [] : [{ name, count }];
    }),
    ...custom(request, line),
    bootId: /^[0-9a-zA-Z-]{1,64}$/.exec(line('boot') ?? '')?.[0] ?? null,
    uptimeS,
  };
}

type Line = (key: string) => string | undefined;

/** Only what stands between the two marks counts: a login may print a greeting, before and even after. */
function answerOf(text: string): { line: Line; lines: (key: string) => string[]; complete: boolean } {
  const all = text.split('\n');
  const from = all.indexOf('fermata 1');
  const to = from < 0 ? -1 : all.indexOf('end', from);
  const said = from < 0 ? [] : all.slice(from + 1, to < 0 ? undefined : to);
  const lines = (key: string) =>
    said.filter((one) => one.startsWith(`${key} `)).map((one) => one.slice(key.length + 1));
  return { line: (key) => lines(key)[0], lines, complete: to >= 0 };
}

function number(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,19}(\.\d{1,6})?$/.test(text) ? Number(text) : null;
}

/** A clock that was set back makes an age negative: then it is young. */
function heartbeatAge(text: string | undefined): number | null {
  return text?.startsWith('-') ? 0 : number(text);
}

/** Of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. What a hypervisor took is nobody's work. */
function cpuPercent(before: string | undefined, after: string | undefined): number | null {
  const [from, to] = [jiffies(before), jiffies(after)];
  if (from === null || to === null) return null;
  const spent = to.map((value, index) => Math.max(0, value - (from[index] ?? 0)));
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = spent;
  const total = spent.reduce((sum, value) => sum + value, 0);
  // A file that stands still is no kernel's.
  return total === 0 ? null : (100 * (user + nice + system + irq + softirq)) / total;
}

function jiffies(text: string | undefined): number[] | null {
  const [name, ...values] = (text ?? '').trim().split(/\s+/);
  const numbers = values.slice(0, 8).map(number);
  if (name !== 'cpu' || numbers.length < 4) return null;
  return numbers.every((value) => value !== null) ? numbers : null;
}

function rate(before: number | null, after: number | null, seconds: number | null): number | null {
  if (before === null || after === null || seconds === null || seconds <= 0 || after < before) return null;
  return (after - before) / seconds;
}

/** What a command printed and its exit code; undefined when it gave no answer. */
function asked(line: Line, key: string): { readonly exit: number; readonly text: string } | undefined {
  const exit = number(line(`${key}_exit`));
  const said = line(key);
  if (exit === null || said === undefined || !/^[A-Za-z0-9+/]*={0,2}$/.test(said)) return undefined;
  return { exit, text: storable(Buffer.from(said, 'base64').toString('utf8')) };
}

const TIMED_OUT = [124, 137];
const LONGEST_QUOTE = 200;

function gpuSight(line: Line): GpuSight {
  const unreadable = (why: string): GpuSight => ({ kind: 'unreadable', why });
  if (line('nvidia_smi') === 'missing') return { kind: 'none' };
  if (line('nvidia_smi') === 'hidden') return unreadable('the driver is loaded, and there is no nvidia-smi');
  const gpus = asked(line, 'gpus');
  const apps = asked(line, 'apps');
  if (gpus && /^No devices were found\.?$/m.test(gpus.text)) return { kind: 'none' };
  for (const answer of [gpus, apps]) {
    if (!answer || TIMED_OUT.includes(answer.exit)) return unreadable('nvidia-smi does not answer in time');
    if (answer.exit !== 0) return unreadable(`nvidia-smi ended with ${answer.exit}: ${quote(answer.text)}`);
  }
  const foundGpus = rows(gpus?.text ?? '').map(gpuOf);
  const foundApps = rows(apps?.text ?? '').map(appOf);
  if (foundGpus.length === 0) return unreadable('nvidia-smi names no GPU');
  if (!foundGpus.every((gpu) => gpu !== null)) return unreadable(`odd answer: ${quote(gpus?.text ?? '')}`);
  if (!foundApps.every((app) => app !== null)) return unreadable(`odd answer: ${quote(apps?.text ?? '')}`);
  return { kind: 'gpus', gpus: foundGpus, apps: foundApps };
}

function rows(text: string): string[][] {
  return text
    .split('\n')
    .map((row) => row.trim())
    .filter((row) => row !== '')
    .map((row) => row.split(',').map((cell) => cell.trim()));
}

/** What a driver says of a thing that it does not tell; any other word is trouble. */
const UNTOLD = /^\[?(N\/A|Not Supported)\]?$/i;

/** The number of a cell, null when the driver does not tell it, undefined when the cell makes no sense. */
function cellOf(cell: string | undefined, most = Infinity): number | null | undefined {
  if (cell === undefined) return undefined;
  if (UNTOLD.test(cell)) return null;
  const value = number(cell);
  return value === null || value > most ? undefined : value;
}

function gpuOf([first, second, third, fourth, ...rest]: readonly string[]): Gpu | null {
  const index = cellOf(first);
  const [utilizationPercent, memoryUsedMb, memoryTotalMb] = [cellOf(second, 100), cellOf(third), cellOf(fourth)];
  if (typeof index !== 'number' || rest.length > 0) return null;
  if (utilizationPercent === undefined || memoryUsedMb === undefined || memoryTotalMb === undefined) return null;
  return { index, utilizationPercent, memoryUsedMb, memoryTotalMb };
}

function appOf([first, second, ...rest]: readonly string[]): GpuApp | null {
  const [pid, memoryMb] = [cellOf(first), cellOf(second)];
  return typeof pid !== 'number' || memoryMb === undefined || rest.length > 0 ? null : { pid, memoryMb };
}

function custom(request: ProbeRequest, line: Line): { custom: CustomSays | null; customSays: string } {
  if (request.custom === null) return { custom: null, customSays: '' };
  const answer = asked(line, 'custom');
  if (!answer) return { custom: 'unknown', customSays: 'no answer' };
  const says = quote(answer.text);
  if (TIMED_OUT.includes(answer.exit)) return { custom: 'unknown', customSays: `${says} (not in time)`.trim() };
  if (answer.exit !== 0) return { custom: 'unknown', customSays: `${says} (ended with ${answer.exit})`.trim() };
  return { custom: says === 'busy' || says === 'idle' ? says : 'unknown', customSays: says };
}

function quote(text: string): string {
  const words = storable(text).trim().replace(/\s+/g, ' ');
  return words.length <= LONGEST_QUOTE ? words : storable(`${words.slice(0, LONGEST_QUOTE)} …`);
}
