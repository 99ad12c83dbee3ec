// Carrying what a job printed to the store, piece by piece and without secrets, so that it can be read while its machine is off.
import { reaching } from '../clients/postgres.ts';
import { Failure } from '../domain/failures.ts';
import type { Mask } from './job-mask.ts';
import { maskOf } from './job-mask.ts';
import { SHORTEST_HIDDEN } from '../domain/secret.ts';
import { appendLog, endOfLog } from '../store/job-log.ts';
import type { JobRow } from '../store/jobs.ts';
import type { JobParts } from './job-machine.ts';
import { logOnMachine } from './job-machine.ts';
import type { JobLog } from './remote/job-report.ts';
import { memberRow } from './member-access.ts';
import { secretsOn } from './member-secrets.ts';
import { knowsMarked } from './secret-marks.ts';
import { givenTo, isPrinted, knowsLaunches, readSecrets } from './sent-secrets.ts';

export interface LogShipper {
  /**
   * Carries what is new, up to a bound. `last` says that nothing will follow. Returns what keeps it from being
   * carried, in words; undefined when nothing does.
   */
  ship(job: JobRow, last: boolean): Promise<{ readonly held?: string; readonly more: boolean }>;
}

const PIECE_BYTES = 1_048_576;
/** What follows a piece is asked for at once, but others want the worker too. */
const PIECES_AT_ONCE = 16;
/** A file that was just begun may have only a few bytes. */
const MORE_PIECES = 3;

/** For one watch of a job. */
export function openShipper(parts: JobParts): LogShipper {
  let own: readonly string[] | undefined;
  return {
    ship: async (job, last) => {
      own ??= await ownSecrets(parts, job);
      // Anew each time, because ready steps renew what they bring.
      const mask = own && (await maskFor(parts, job, own));
      if (!mask)
        return { held: 'Its log is not carried on, because a secret to hide in it is not known.', more: false };
      for (let piece = 0; piece < PIECES_AT_ONCE; piece += 1) {
        if (!(await shipPiece(parts, job, mask, last))) return { more: false };
      }
      return { more: true };
    },
  };
}

/** Undefined when one cannot be read, or is another one than was sent. What a command printed cannot be read again: it is what was remembered. */
async function ownSecrets(parts: JobParts, job: JobRow): Promise<readonly string[] | undefined> {
  const lasting = Object.entries(job.spec.secrets).filter(([, ref]) => !('command' in ref));
  try {
    const values = Object.values(await readSecrets(parts, Object.fromEntries(lasting)));
    // One that was changed since is printed as it was.
    return (await knowsMarked(job.secretMarks, [...values, ...givenTo(job.id)])) ? values : undefined;
  } catch (error) {
    if (error instanceof Failure && error.type === 'SecretUnavailable') return undefined;
    throw error;
  }
}

/** Undefined when the machine may have a secret that is not known to this worker: closed by default. */
async function maskFor(parts: JobParts, job: JobRow, own: readonly string[]): Promise<Mask | undefined> {
  const { id, memberId, generation, spec } = job;
  const { values, complete, commands } = await secretsOn(parts, await memberRow(parts, memberId), 'leave');
  const changing = commands || isPrinted(spec.secrets);
  if (!complete || (changing && !knowsLaunches(id, generation))) return undefined;
  return maskOf([...own, ...givenTo(id), ...values]);
}

/** True when some was carried and there may be more. */
async function shipPiece(parts: JobParts, job: JobRow, mask: Mask, last: boolean): Promise<boolean> {
  const { db } = parts.postgres;
  const at = Math.max(0, (await reaching(endOfLog(db, job.id))) - job.logBase);
  const log = await telling(parts, job, mask, at);
  if (!log || log.bytes.length === 0) return false;
  const whole = log.nextOffset >= log.logSize;
  // The end of a piece may be the beginning of a secret, and only what follows tells; at the very end nothing does.
  const held = mask.heldBack(log.bytes);
  const hidden = mask.hide(log.bytes);
  const ends = last && whole;
  if (ends && held >= SHORTEST_HIDDEN) hidden.fill('*', hidden.length - held);
  const bytes = ends ? hidden : hidden.subarray(0, hidden.length - held);
  await reaching(appendLog(db, job.id, { fromByte: job.logBase + log.offset, bytes }));
  return !whole && bytes.length > 0;
}

/**
 * A piece of which not all is held back. The end of a file of the log may be the beginning of a secret, and a machine
 * never sends more than one file, so that what follows is asked for too.
 */
async function telling(parts: JobParts, job: JobRow, mask: Mask, from: number): Promise<JobLog | null> {
  let log = await logOnMachine(parts, job, from, PIECE_BYTES);
  for (let more = 0; log && more < MORE_PIECES; more += 1) {
    if (log.nextOffset >= log.logSize || mask.heldBack(log.bytes) < log.bytes.length) return log;
    const next = await logOnMachine(parts, job, log.nextOffset, PIECE_BYTES);
    if (!next || next.bytes.length === 0) return log;
    // After a gap the end of what was before it is gone from the machine, and nothing will tell.
    const joined = next.offset === log.nextOffset;
    log = joined ? { ...next, offset: log.offset, bytes: Buffer.concat([log.bytes, next.bytes]) } : next;
  }
  return log;
}
