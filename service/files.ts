// Files between a door and a machine: uploads that are kept until they are sent, and what was got from a machine.
import { createHash } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { reaching } from '../clients/postgres.ts';
import { Failure, isFailureType } from '../domain/failures.ts';
import { workflowIdOf } from '../domain/task.ts';
import { LARGEST_FILE_BYTES } from '../operations/files.ts';
import type { StoredBlob } from '../store/blobs.ts';
import { findBlob, readBlob, writeBlob } from '../store/blobs.ts';
import type { Service } from './open.ts';
import type { TaskRow } from './tasks.ts';

/** The workflow ends a moment after its last event is recorded. */
const ENDS_MS = 2_000;

/**
 * Keeps an upload of up to 64 MiB for a day. The same bytes of a tenant have the same id, so a repeated request is the
 * same one. Throws `BodyTooLarge`, `StoreUnavailable`, and what the source throws.
 */
export function keepUpload(service: Service, tenant: string, source: AsyncIterable<Uint8Array>): Promise<StoredBlob> {
  const idOf = (sha256: string) => createHash('sha256').update(`${tenant}\n${sha256}`).digest('hex');
  return writeBlob(service.postgres, { tenant, limitBytes: LARGEST_FILE_BYTES, idOf }, source);
}

/** A file that was got from a machine. Throws `BlobUnavailable` when it was too long ago. */
export async function openReceived(
  { postgres: { db } }: Service,
  tenant: string,
  id: string,
): Promise<Pick<StoredBlob, 'sizeBytes' | 'sha256'> & { readonly bytes: AsyncIterable<Uint8Array> }> {
  const blob = await reaching(findBlob(db, id));
  if (!blob || blob.tenant !== tenant) throw new Failure('BlobUnavailable', { id, why: 'files are kept for a day.' });
  const { sizeBytes, sha256 } = blob;
  return { sizeBytes, sha256, bytes: readBlob(db, blob) };
}

/** Why a task ended that did not complete: its failure as Temporal has it, or what its row says when that is unknown. */
export async function failureOfTask({ temporal }: Service, { id, error }: TaskRow): Promise<Failure> {
  const { client, reach } = temporal;
  const type = await reach(() => client.workflow.getHandle(workflowIdOf(id)).result(), ENDS_MS).then(
    () => undefined,
    (failed: unknown) => typeOf(failed),
  );
  const failure = new Failure(isFailureType(type) ? type : 'TargetFailed');
  // The row has the words with everything filled in.
  failure.message = error ?? failure.message;
  return failure;
}

function typeOf(error: unknown): string | null | undefined {
  if (!(error instanceof WorkflowFailedError)) return undefined;
  return error.cause instanceof ApplicationFailure ? error.cause.type : 'TaskTerminated';
}
