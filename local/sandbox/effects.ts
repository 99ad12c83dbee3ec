// The witness: one line a mutating call in effects.jsonl, on the disk before the call is answered, and enough to redo it.
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';

import type { Records } from './records.ts';
import { recordsShape } from './records.ts';
import { isObject } from './shape.ts';

export interface Effect {
  readonly action: string;
  readonly instance_ids: readonly string[];
  readonly request_id: string;
  readonly outcome: string;
  readonly changed: readonly string[];
  readonly client_token?: string;
  readonly principal?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly volume_id?: string;
  readonly snapshot_id?: string;
  readonly state?: string;
  readonly force?: boolean;
  readonly torn?: string;
}

/** How far the file has been taken into account. */
export interface Position {
  readonly lines: number;
  readonly bytes: number;
}

export class Effects {
  readonly path: string;
  readonly #file: number;
  #lines: number;
  #bytes: number;

  constructor(path: string, end: Position) {
    this.path = path;
    this.#file = openSync(path, 'a', 0o644);
    this.#lines = end.lines;
    this.#bytes = end.bytes;
  }

  get position(): Position {
    return { lines: this.#lines, bytes: this.#bytes };
  }

  append(effect: Effect, now: number, redo?: Partial<Records>): void {
    const line = Buffer.from(`${JSON.stringify(this.#entry(effect, now, redo))}\n`);
    if (fstatSync(this.#file).size !== this.#bytes) {
      throw new Error(`${this.path} was changed by somebody else; it must be written by one sandbox alone`);
    }
    try {
      let written = 0;
      while (written < line.length) written += writeSync(this.#file, line, written);
      fsyncSync(this.#file);
    } catch (problem) {
      ftruncateSync(this.#file, this.#bytes);
      throw problem;
    }
    this.#lines += 1;
    this.#bytes += line.length;
  }

  #entry(effect: Effect, now: number, redo?: Partial<Records>): Record<string, unknown> {
    const { action, instance_ids, client_token, request_id, principal, outcome, changed, ...more } = effect;
    const call = { action, instance_ids, client_token, request_id, principal, outcome, changed, ...more };
    return { n: this.#lines + 1, at: new Date(now).toISOString(), ...call, redo };
  }

  close(): void {
    closeSync(this.#file);
  }
}

/**
 * What the file says beyond `from`. A last line without its end was torn by a kill: its call was never answered and has
 * no effect, so it is cut off, and `torn` goes into a line of its own.
 */
export function readEffects(path: string, from: Position): { end: Position; redo: Partial<Records>[]; torn?: string } {
  const rest = bytesAfter(path, from.bytes);
  const complete = rest.subarray(0, rest.lastIndexOf(0x0a) + 1);
  const torn = rest.subarray(complete.length).toString();
  if (torn !== '') cut(path, from.bytes + complete.length);
  const lines = complete.toString().split('\n').slice(0, -1);
  return {
    end: { lines: from.lines + lines.length, bytes: from.bytes + complete.length },
    redo: lines.map((line, index) => redoOf(line, `${path}, line ${from.lines + index + 1},`)),
    ...(torn === '' ? {} : { torn }),
  };
}

function bytesAfter(path: string, start: number): Buffer {
  const file = openSync(path, 'a+');
  try {
    const { size } = fstatSync(file);
    if (size < start) {
      throw new Error(`${path} has lost lines that are in the state; to start anew, move the whole folder away`);
    }
    const rest = Buffer.alloc(size - start);
    let read = 0;
    while (read < rest.length) read += readSync(file, rest, read, rest.length - read, start + read);
    return rest;
  } finally {
    closeSync(file);
  }
}

function cut(path: string, bytes: number): void {
  const file = openSync(path, 'r+');
  ftruncateSync(file, bytes);
  fsyncSync(file);
  closeSync(file);
}

function redoOf(line: string, place: string): Partial<Records> {
  const effect = parsed(line);
  if (!isObject(effect)) throw new Error(`${place} is no effect; the file must be written by the sandbox alone`);
  if (effect['redo'] === undefined) return {};
  const redo = { instances: [], snapshots: [], tokens: [], ...(isObject(effect['redo']) ? effect['redo'] : {}) };
  if (!recordsShape(redo)) throw new Error(`${place} cannot be redone`);
  return redo;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
