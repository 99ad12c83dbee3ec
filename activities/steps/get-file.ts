// Getting a file from a member into a blob: what a lost link leaves is gone on with, and the sum must be the machine's.
import { reaching } from '../../clients/postgres.ts';
import { Failure } from '../../domain/failures.ts';
import { LARGEST_FILE_BYTES } from '../../operations/files.ts';
import type { BlobWriter } from '../../store/blobs.ts';
import { findBlob, startBlob } from '../../store/blobs.ts';
import type { GetReport } from '../remote/file.ts';
import { getCommand, parseGet } from '../remote/file.ts';
import type { RemoteParts } from '../remote-parts.ts';
import type { FilePlace } from './file.ts';
import { ask, carry, malformed, notDone, placeOf, unreachable } from './file.ts';
import type { StepRunner } from './runner.ts';

type SeenFile = Extract<GetReport, { state: 'file' }>;

/** The longest that may come before the bytes of the file. */
const LONGEST_REPORT_BYTES = 65_536;

export function getRunner(parts: RemoteParts, taskId: string): StepRunner {
  const { postgres, scripts } = parts;
  return {
    indifferent: true,
    look: async (step, { answeredAt }) => {
      const { path } = step.args;
      if (typeof path !== 'string') throw malformed();
      const blob = await reaching(findBlob(postgres.db, blobIdOf(taskId, step.id)));
      if (blob) {
        const { id, sizeBytes, sha256 } = blob;
        return { verdict: 'as_wanted', seen: { path, size_bytes: sizeBytes, sha256, blob: id } };
      }
      if (answeredAt === null) return { verdict: 'as_planned', seen: {} };
      return { verdict: 'failed', seen: {}, why: `what was got of ${path} was dropped, since it is too old` };
    },
    act: async (step) => {
      const place = await placeOf(parts, step);
      // From beyond the beginning, since at the beginning the machine would sum up the file, however large it is.
      const look = getCommand(scripts.file, { ...place, offset: 1, maxBytes: 0 });
      const found = parseGet(Buffer.from(await ask(parts, place, look)));
      if (!found) throw garbled('it has no report, or only the beginning of one.');
      fileIn(place, found.report);
      const writer = await startBlob(postgres, place.tenant, LARGEST_FILE_BYTES);
      try {
        const { sha256: wanted } = await fetch(parts, place, writer);
        await writer.keep((sha256) => {
          if (sha256 !== wanted) throw changed(place);
          return blobIdOf(taskId, step.id);
        });
      } catch (error) {
        // What cannot be taken away now goes with its age.
        await writer.drop().catch(() => undefined);
        throw error;
      }
    },
  };
}

function blobIdOf(taskId: string, stepId: string): string {
  return `${taskId}-${stepId}`;
}

/** The file that a report is about. Throws `FileNotFound`, `FileRefused`, `FileBlocked`, `FileTooLarge`. */
function fileIn({ path }: FilePlace, report: GetReport): SeenFile {
  if (report.state === 'absent') throw new Failure('FileNotFound', { path });
  if (report.state !== 'file') throw notDone(path, report);
  const { sizeBytes } = report;
  if (sizeBytes > LARGEST_FILE_BYTES) {
    throw new Failure('FileTooLarge', { path, size: sizeBytes, limit: LARGEST_FILE_BYTES });
  }
  return report;
}

function garbled(why: string): Failure {
  return new Failure('RemoteGarbled', { why });
}

function changed({ path }: FilePlace): Failure {
  return new Failure('FileBlocked', { path, why: 'it changed while it was read' });
}

/** Gets all of the file, as long as each call gets further. Returns what the first one said of it. */
async function fetch(parts: RemoteParts, place: FilePlace, writer: BlobWriter): Promise<SeenFile> {
  let first: SeenFile | undefined;
  for (;;) {
    const offset = writer.sizeBytes;
    const taker = takerOf(place, writer, first);
    const call = getCommand(parts.scripts.file, { ...place, offset, maxBytes: LARGEST_FILE_BYTES });
    const { command, stdin } = call;
    const ran = await carry(parts, place, { command, stdin, onStdout: taker.take });
    // A link may be lost while the last bytes that came are still being stored.
    await taker.taken();
    first ??= taker.file();
    if (first && writer.sizeBytes === first.sizeBytes) return first;
    if (ran.lost === 'aborted') throw new Failure('OutcomeUnknown', { why: 'it was stopped on the way' });
    if (ran.code === 0) throw first ? changed(place) : garbled('it has no report.');
    if (writer.sizeBytes === offset) throw unreachable(place.address, ran);
  }
}

/** Takes what one call answers: the report, which must be about the same file as `before`, and then bytes of the file. */
function takerOf(place: FilePlace, writer: BlobWriter, before: SeenFile | undefined) {
  let head: Uint8Array = new Uint8Array();
  let file: SeenFile | undefined;
  let last = Promise.resolve();
  const store = async (chunk: Uint8Array) => {
    let bytes = chunk;
    if (!file) {
      head = Buffer.concat([head, chunk]);
      const found = parseGet(head);
      if (!found && head.length > LONGEST_REPORT_BYTES) throw garbled('its report has no end.');
      if (!found) return;
      file = fileIn(place, found.report);
      if (before && (before.sizeBytes !== file.sizeBytes || before.modifiedAt !== file.modifiedAt)) {
        throw changed(place);
      }
      bytes = head.subarray(found.bodyStart);
    }
    // A file that is being written to is got as long as it was when it was summed up.
    const room = file.sizeBytes - writer.sizeBytes;
    if (room > 0 && bytes.length > 0) await writer.add(bytes.subarray(0, room));
  };
  return {
    take: (chunk: Uint8Array) => (last = store(chunk)),
    taken: () => last,
    file: () => file,
  };
}
