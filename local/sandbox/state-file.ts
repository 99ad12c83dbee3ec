// Reads and writes state.json: all records and how far the effects are in them, replaced as a whole by a rename.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

import { recordsShape } from './records.ts';
import { number, object, oneOf } from './shape.ts';
import type { Shaped } from './shape.ts';

const stateShape = object({
  format: oneOf(['fermata-sandbox-1']),
  effects: object({ lines: number, bytes: number }),
  records: recordsShape,
});
export type SavedState = Shaped<typeof stateShape>;

export function loadState(path: string): SavedState | undefined {
  if (!existsSync(path)) return undefined;
  const state = parsed(readFileSync(path, 'utf8'));
  if (!stateShape(state))
    throw new Error(`${path} is not a state of this sandbox; to start anew, move the whole folder away`);
  return state;
}

export function saveState(path: string, state: SavedState): void {
  const fresh = `${path}.new`;
  const file = openSync(fresh, 'w', 0o644);
  try {
    writeFileSync(file, JSON.stringify(state));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
