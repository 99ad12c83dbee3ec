// How a script is sent to a machine with its arguments, and how its report is read: strictly, but after what a login prints.
import { Failure } from '../../domain/failures.ts';
import { storable } from '../../domain/text.ts';

/** What `ssh.run` is given. */
export interface RemoteCall {
  /** The script and its mode; nothing that a caller made is in it. */
  readonly command: string;
  /** The arguments, secrets among them, so it is never logged; bytes for the script follow it. */
  readonly stdin: Uint8Array;
}

type Argument = readonly [key: string, value: string | number];

const BEGIN = 'fermata 1';
const END = 'end';
/** Ids of runs and transfers, which become names of files. */
const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** A call of a script. Arguments go over stdin as `key base64` lines up to an empty line, `body` after them. */
export function remoteCall(script: string, mode: string, args: readonly Argument[], body?: Uint8Array): RemoteCall {
  const lines = args.map(([key, value]) => `${key} ${Buffer.from(String(value)).toString('base64')}\n`);
  const header = Buffer.from(`${lines.join('')}\n`);
  return { command: `sh -c ${quoted(script)} fermata ${mode}`, stdin: body ? Buffer.concat([header, body]) : header };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Throws `InvalidRequest` unless it holds; the scripts check the same again. */
export function demand(holds: boolean, why: string): void {
  if (!holds) throw new Failure('InvalidRequest', { why });
}

/** Throws `InvalidRequest` for an id that is no name of a file. */
export function demandId(id: string): void {
  demand(ID.test(id), `'${id}' is not an id of a remote call`);
}

/** Throws `InvalidRequest` for anything but 64 lower-case hexadecimal digits. */
export function demandSha256(sha256: string): void {
  demand(SHA256.test(sha256), 'a sha256 has 64 lower-case hexadecimal digits');
}

/** Throws `InvalidRequest` for what is no number of bytes or seconds. */
export function demandCount(value: number, what: string): void {
  demand(Number.isSafeInteger(value) && value >= 0 && value < 1e15, `${what} is not a whole number from 0`);
}

/** Throws `InvalidRequest` for a text that no shell can hold. */
export function demandText(text: string, what: string): void {
  demand(!text.includes('\0') && text.isWellFormed(), `${what} holds a NUL character or a lone surrogate`);
}

/** One report, read key by key; every reader throws `RemoteGarbled` for a value that is missing or makes no sense. */
export class Report {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(lines: readonly string[]) {
    const values = new Map<string, string[]>();
    for (const line of lines) {
      const [, key = '', value = ''] = /^([a-z][a-z0-9_]*) (.*)$/.exec(line) ?? [];
      if (key === '') throw garbled(`'${line}' is no line of it.`);
      values.set(key, [...(values.get(key) ?? []), value]);
    }
    this.#values = values;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** Every value of a key that may come more than once. */
  all(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }

  text(key: string): string {
    const [value, ...more] = this.all(key);
    if (value === undefined || more.length > 0)
      throw garbled(`it has ${value === undefined ? 'no' : 'several'} ${key}.`);
    return value;
  }

  /** The value as one of those that are known. */
  choice<T extends string>(key: string, known: readonly T[]): T {
    const value = this.text(key);
    const found = known.find((one) => one === value);
    if (found === undefined) throw garbled(`${key} is '${value}'.`);
    return found;
  }

  count(key: string): number {
    const value = this.text(key);
    if (!/^\d{1,15}$/.test(value)) throw garbled(`${key} is '${value}'.`);
    return Number(value);
  }

  /** A time that came as seconds since 1970, as ISO text. */
  time(key: string): string {
    const seconds = this.count(key);
    if (seconds > 99_999_999_999) throw garbled(`${key} is '${seconds}'.`);
    return new Date(seconds * 1_000).toISOString();
  }

  bytes(key: string): Buffer {
    const value = this.text(key);
    const bytes = Buffer.from(value, 'base64');
    if (bytes.toString('base64') !== value) throw garbled(`${key} is not base64.`);
    return bytes;
  }

  /** Text of the machine, with U+FFFD for what is not UTF-8, and without NUL characters. */
  words(key: string): string {
    return storable(this.bytes(key).toString('utf8'));
  }
}

/** The report in all that a machine answered. Throws `RemoteGarbled` when there is none, or not all of it. */
export function readReport(text: string): Report {
  const found = findReport(Buffer.from(text));
  if (!found) throw garbled(text === '' ? 'it is empty.' : `it has no report, or only the beginning of one: ${text}`);
  return found.report;
}

/**
 * The report at the beginning of an answer, and where the bytes after it start; undefined while it is not complete.
 * Throws `RemoteGarbled` when it makes no sense.
 */
export function findReport(bytes: Uint8Array): { readonly report: Report; readonly end: number } | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = lineAt(buffer, BEGIN, 0);
  const end = start < 0 ? -1 : lineAt(buffer, END, start);
  if (end < 0) return undefined;
  const lines = buffer.toString('utf8', start, end).split('\n').slice(1, -1);
  return { report: new Report(lines), end: end + END.length + 1 };
}

/** Where a line with exactly this text starts; -1 when there is none. */
function lineAt(buffer: Buffer, line: string, from: number): number {
  for (let at = buffer.indexOf(`${line}\n`, from); at >= 0; at = buffer.indexOf(`${line}\n`, at + 1)) {
    if (at === 0 || buffer[at - 1] === 0x0a) return at;
  }
  return -1;
}

/** An answer that is no report. */
function garbled(why: string): Failure {
  return new Failure('RemoteGarbled', { why });
}
