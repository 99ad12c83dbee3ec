// Files on a machine: what is sent to put one into the work folder in pieces, or to get one, and what comes back.
import type { RemoteCall, Report } from './wire.ts';
import { demand, demandCount, demandId, demandSha256, demandText, findReport, readReport, remoteCall } from './wire.ts';

/** A file below the work folder. What the path leads to, links resolved, must be inside the folder. */
export interface RemotePlace {
  /** An absolute path, or one from the home folder. */
  readonly root: string;
  readonly path: string;
}

export interface RemoteFile extends RemotePlace {
  /** The same in every attempt to put this file. */
  readonly id: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Takes the bytes from `offset`, which are to follow `stdin`. Throws `InvalidRequest` for what the machine would refuse. */
export function putCommand(
  script: string,
  { offset, mode = 0o644, ...file }: RemoteFile & { readonly offset: number; readonly mode?: number },
): RemoteCall {
  demandCount(offset, 'offset');
  demand(Number.isInteger(mode) && mode >= 0 && mode <= 0o777, 'permissions go from 0 to 0777');
  const permissions = mode.toString(8).padStart(4, '0');
  return remoteCall(script, 'put', [...fileArguments(file), ['offset', offset], ['permissions', permissions]]);
}

/** Asks how much of a file is there. */
export function statCommand(script: string, file: RemoteFile): RemoteCall {
  return remoteCall(script, 'stat', fileArguments(file));
}

/** Removes what came so far of a file that nobody wants any more. */
export function dropCommand(script: string, file: RemoteFile): RemoteCall {
  return remoteCall(script, 'drop', fileArguments(file));
}

/** Asks for at most `maxBytes` from `offset`; with 0 only for what there is to know about the file. */
export function getCommand(
  script: string,
  { offset, maxBytes, ...place }: RemotePlace & { readonly offset: number; readonly maxBytes: number },
): RemoteCall {
  demandCount(offset, 'offset');
  demandCount(maxBytes, 'max');
  return remoteCall(script, 'get', [...placeArguments(place), ['offset', offset], ['max', maxBytes]]);
}

function placeArguments({ root, path }: RemotePlace) {
  demandText(root, 'the work folder');
  demandText(path, 'the path');
  return [
    ['root', root],
    ['path', path],
  ] as const;
}

function fileArguments({ id, sizeBytes, sha256, ...place }: RemoteFile) {
  demandId(id);
  demandCount(sizeBytes, 'size');
  demandSha256(sha256);
  return [...placeArguments(place), ['id', id], ['size', sizeBytes], ['sha256', sha256]] as const;
}

/** `setup_failed`: the machine cannot now, as when its disk is full; a retry goes on. `refused`: it never will. */
interface NotDone {
  readonly state: 'refused' | 'setup_failed';
  readonly why: string;
}

/**
 * How far a file is. `done`: it is there, whole. `have`: so many bytes are, go on from there. `offset`: the bytes that
 * were sent start somewhere else. `corrupt`: all came, but it is another file; what came is gone.
 */
export type PutReport =
  NotDone | { readonly state: 'done' | 'corrupt' } | { readonly state: 'have' | 'offset'; readonly haveBytes: number };

/** Reads what a put or a stat answered. Throws `RemoteGarbled` for anything but a whole report. */
export function parsePut(text: string): PutReport {
  const report = readReport(text);
  const state = report.choice('state', ['done', 'corrupt', 'have', 'offset', 'refused', 'setup_failed']);
  if (state === 'refused' || state === 'setup_failed') return notDone(report, state);
  return state === 'done' || state === 'corrupt' ? { state } : { state, haveBytes: report.count('have') };
}

export type GetReport =
  | NotDone
  | { readonly state: 'absent' }
  | {
      readonly state: 'file';
      readonly sizeBytes: number;
      readonly modifiedAt: string;
      /** Only with offset 0: size and time tell whether the file stayed the same afterwards. */
      readonly sha256: string | null;
    };

/**
 * Reads the beginning of what a get answered: the report, and where the bytes of the file start in it. Undefined while
 * the report is not complete. Throws `RemoteGarbled` when it makes no sense.
 */
export function parseGet(bytes: Uint8Array): { readonly report: GetReport; readonly bodyStart: number } | undefined {
  const found = findReport(bytes);
  return found && { report: getReport(found.report), bodyStart: found.end };
}

function getReport(report: Report): GetReport {
  const state = report.choice('state', ['file', 'absent', 'refused', 'setup_failed']);
  if (state === 'absent') return { state };
  if (state !== 'file') return notDone(report, state);
  const sha256 = report.has('sha256') ? report.text('sha256') : null;
  return { state, sizeBytes: report.count('size'), modifiedAt: report.time('modified'), sha256 };
}

function notDone(report: Report, state: NotDone['state']): NotDone {
  return { state, why: report.words('why') };
}
