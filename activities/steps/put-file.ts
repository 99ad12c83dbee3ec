// Putting a file on a member: the machine keeps what came, and every later try goes on from there.
import { createHash } from 'node:crypto';
import { reaching } from '../../clients/postgres.ts';
import { Failure } from '../../domain/failures.ts';
import type { Step } from '../../domain/plan.ts';
import { findBlob, readBlob } from '../../store/blobs.ts';
import type { PutReport, RemoteFile } from '../remote/file.ts';
import { dropCommand, parsePut, putCommand, statCommand } from '../remote/file.ts';
import type { RemoteParts } from '../remote-parts.ts';
import type { FilePlace } from './file.ts';
import { ask, carry, malformed, notDone, placeOf } from './file.ts';
import type { StepRunner } from './runner.ts';

interface Put {
  readonly place: FilePlace;
  readonly file: RemoteFile;
  readonly mode: number;
  bytesFrom(offset: number): AsyncIterable<Uint8Array>;
}

interface Source {
  readonly sizeBytes: number;
  readonly sha256: string;
  bytesFrom(offset: number): AsyncIterable<Uint8Array>;
}

export function putRunner(parts: RemoteParts, taskId: string): StepRunner {
  const putOf = async (step: Step): Promise<Put> => {
    const { mode } = step.args;
    if (typeof mode !== 'string') throw malformed();
    const place = await placeOf(parts, step);
    const { sizeBytes, sha256, bytesFrom } = await sourceOf(parts, step, place);
    const { root, path } = place;
    const file = { id: `${taskId}-${step.id}`, root, path, sizeBytes, sha256 };
    return { place, file, mode: Number.parseInt(mode, 8), bytesFrom };
  };
  const stat = async ({ place, file }: Put) => going(file, parsePut(await ask(parts, place, statOf(file))));
  const statOf = (file: RemoteFile) => statCommand(parts.scripts.file, file);

  return {
    indifferent: true,
    look: async (step, { mine, answeredAt }) => {
      // The act itself asks what is there; and a file that is the same may still get other permissions.
      if (!mine) return { verdict: 'as_planned', seen: {} };
      const put = await putOf(step);
      const { path, sizeBytes, sha256 } = put.file;
      const report = await stat(put);
      if (report.state === 'done') {
        return { verdict: 'as_wanted', seen: { path, size_bytes: sizeBytes, sha256 } };
      }
      const seen = { path, has_bytes: report.haveBytes };
      if (answeredAt === null) return { verdict: 'as_planned', seen };
      return { verdict: 'failed', seen, why: `${path} was put there, and somebody changed it at once` };
    },
    act: async (step) => {
      const put = await putOf(step);
      for (let report = await stat(put); ;) {
        const next = await send(parts, put, report);
        if (next === 'stopped') throw new Failure('OutcomeUnknown', { why: 'it was stopped on the way' });
        if (next !== 'lost' && next.state === 'done') return;
        const now = next === 'lost' ? await stat(put).catch(asUnknown) : next;
        if (!isFurther(now, report)) throw new Failure('OutcomeUnknown', { why: 'the link was lost' });
        report = now;
      }
    },
    halt: async (step) => {
      const { place, file } = await putOf(step);
      await ask(parts, place, dropCommand(parts.scripts.file, file)).catch((error: unknown) => {
        // On a machine that cannot be reached it stays, under a name that nothing else uses.
        if (!(error instanceof Failure)) throw error;
      });
    },
  };
}

/** The bytes of a step. Throws `BlobUnavailable` for a blob of somebody else, one that was dropped, and another content. */
async function sourceOf({ postgres: { db } }: RemoteParts, step: Step, { tenant }: FilePlace): Promise<Source> {
  const { blob: id, content, sha256: wanted } = step.args;
  if (typeof content === 'string') {
    const bytes = Buffer.from(content);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (typeof wanted === 'string' && wanted !== sha256) throw other('content', sha256);
    return { sizeBytes: bytes.length, sha256, bytesFrom: (offset) => once(bytes.subarray(offset)) };
  }
  if (typeof id !== 'string') throw malformed();
  const blob = await reaching(findBlob(db, id));
  if (!blob || blob.tenant !== tenant) throw new Failure('BlobUnavailable', { id, why: 'there is no such upload.' });
  const { sizeBytes, sha256 } = blob;
  if (typeof wanted === 'string' && wanted !== sha256) throw other(id, sha256);
  return { sizeBytes, sha256, bytesFrom: (offset) => readBlob(db, blob, offset) };
}

function other(id: string, sha256: string): Failure {
  return new Failure('BlobUnavailable', { id, why: `its sha256 is ${sha256}, which is not the one asked for.` });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

type Going = { readonly state: 'done' } | { readonly state: 'have'; readonly haveBytes: number };

/** How far the file is. Throws `FileRefused`, and `FileBlocked` for what a retry may help. */
function going({ path }: RemoteFile, report: PutReport): Going {
  switch (report.state) {
    case 'refused':
    case 'setup_failed':
      throw notDone(path, report);
    case 'corrupt':
      throw new Failure('FileBlocked', { path, why: 'what came is not what was sent' });
    case 'offset':
    case 'have':
      return { state: 'have', haveBytes: report.haveBytes };
    case 'done':
      return { state: 'done' };
  }
}

/** Sends what is missing; nothing of a file that is there, which then only gets its permissions. */
async function send(parts: RemoteParts, put: Put, report: Going): Promise<Going | 'lost' | 'stopped'> {
  const { place, file, mode, bytesFrom } = put;
  const isThere = report.state === 'done';
  const offset = isThere ? 0 : report.haveBytes;
  const { command, stdin: header } = putCommand(parts.scripts.file, { ...file, offset, mode });
  const ran = await carry(parts, place, {
    command,
    stdin: isThere ? header : after(header, bytesFrom(offset)),
  });
  if (ran.lost === 'aborted') return 'stopped';
  return ran.code === 0 ? going(file, parsePut(ran.stdout)) : 'lost';
}

async function* after(header: Uint8Array, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield header;
  yield* bytes;
}

function asUnknown(error: unknown): never {
  if (!(error instanceof Failure)) throw error;
  throw new Failure('OutcomeUnknown', { why: error.message });
}

function isFurther(now: Going, before: Going): boolean {
  if (now.state === 'done') return before.state !== 'done';
  return before.state === 'have' && now.haveBytes > before.haveBytes;
}
