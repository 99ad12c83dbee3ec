// Carrying files to and from the work folder of a member.
import { z } from 'zod';
import type { Instance } from '../domain/instance.ts';
import type { PlanDraft, Step, StepOutcome } from '../domain/plan.ts';
import type { JsonObject } from '../domain/task.ts';
import { GETS_READY_MS, memberOf, memberRef, needsOf, startRule, startWords } from './member.ts';
import type { MemberSeen } from './operation.ts';
import { changeOperation } from './operation.ts';

/** The largest file that is carried. */
export const LARGEST_FILE_BYTES = 64 * 1_048_576;
/** Contents in the parameters go through the history of the task, all of them together. */
const INLINE_BYTES = 49_152;
const MOST_FILES = 100;
const SIDE_BY_SIDE = 4;
/** What a slow link carries, and what one file takes besides. */
const SLOW_BYTES_PER_SECOND = 262_144;
const SECONDS_A_FILE = 10;
const NAMED_IN_PLAN = 5;

/** Names that start so are kept for files on their way. */
const RESERVED = '.fermata-';

/** A path below the work folder. The machine checks again what it leads to. */
export const filePath = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[^\0\n\r]*$/, 'Input should be without line breaks')
  .refine(isInside, `Input should be a path inside the work folder: relative, without '.', '..' and empty parts`)
  .refine((path) => !partsOf(path).some((part) => part.startsWith(RESERVED)), {
    message: `Input should not name a file that starts with ${RESERVED}`,
  });
export const fileMode = z.string().regex(/^0?[0-7]{3}$/, 'Input should be permissions such as 0644');

function partsOf(path: string): string[] {
  return path.split('/');
}

function isInside(path: string): boolean {
  return partsOf(path).every((part) => part !== '' && part !== '.' && part !== '..');
}

/** True when each path is that of another file, and none is a folder for another one. */
function areApart(paths: readonly string[]): boolean {
  const files = new Set(paths);
  if (files.size < paths.length) return false;
  return paths.every((path) => {
    const parts = partsOf(path);
    return parts.slice(1).every((_, index) => !files.has(parts.slice(0, index + 1).join('/')));
  });
}
const APART = 'Input should name each file once, and no file as the folder of another one';

const bytesIn = (text: string) => new TextEncoder().encode(text).length;

const sentFile = z
  .strictObject({
    path: filePath,
    /** An upload: the id that it was kept under. */
    blob: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,127}$/, 'Input should be the id of an upload')
      .optional(),
    content: z.string().optional(),
    /** What the bytes have to be. */
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'Input should be 64 lower-case hexadecimal digits')
      .optional(),
    mode: fileMode.default('0644'),
  })
  .refine(({ blob, content }) => (blob === undefined) !== (content === undefined), {
    message: 'Input should have either a blob or a content',
  });

const sendParams = z.strictObject({
  member: memberRef,
  files: z
    .array(sentFile)
    .min(1)
    .max(MOST_FILES)
    .refine((files) => areApart(files.map(({ path }) => path)), APART)
    .refine((files) => files.reduce((sum, { content = '' }) => sum + bytesIn(content), 0) <= INLINE_BYTES, {
      message: `Input should have contents of at most ${INLINE_BYTES} bytes in all; upload what is larger`,
    }),
  start: startRule,
});
const receiveParams = z.strictObject({
  member: memberRef,
  paths: z.array(filePath).min(1).max(MOST_FILES).refine(areApart, APART),
  start: startRule,
});

const secondsFor = (bytes: number) => SECONDS_A_FILE + Math.ceil(bytes / SLOW_BYTES_PER_SECOND);
const deadlineMs = (sizes: readonly number[]) =>
  GETS_READY_MS + sizes.reduce((sum, bytes) => sum + secondsFor(bytes), 0) * 1000;

/** One step a file, a few at a time. */
function planned(
  member: MemberSeen,
  instance: Instance | undefined,
  { start }: Pick<z.output<typeof receiveParams>, 'start'>,
  steps: readonly Pick<Step, 'id' | 'call' | 'args' | 'says' | 'undo' | 'estimatedSeconds'>[],
  says: string,
): PlanDraft {
  const { settings, target, id } = member;
  return {
    needs: needsOf(member, instance, start),
    steps: steps.map((step, index) => ({
      ...step,
      batch: Math.floor(index / SIDE_BY_SIDE),
      target,
      args: { member: id, root: settings.workFolder, ...step.args },
      saw: {},
    })),
    says: `${startWords(instance)}${says}.`,
    costUsdPerHour: null,
    facts: { member: settings.name },
  };
}

function namesOf(paths: readonly string[]): string {
  const more = paths.length - NAMED_IN_PLAN;
  const names = paths.slice(0, NAMED_IN_PLAN).join(', ');
  return more > 0 ? `${names} and ${more} more` : names;
}

/** What was seen of each file, in the order in which they were asked for. */
function filesOf(stepIds: readonly string[], outcomes: readonly StepOutcome[]): JsonObject[] {
  const seen = new Map(outcomes.map((outcome) => [outcome.stepId, outcome.seen]));
  return stepIds.map((id) => seen.get(id) ?? {});
}

const putId = (_: unknown, index: number) => `put-${index}`;
const getId = (_: unknown, index: number) => `get-${index}`;

export const sendFiles = changeOperation({
  name: 'send_files',
  description: 'Put files into the work folder of a member, starting its machine if it is stopped',
  effect: 'change',
  params: sendParams,
  reads: ({ member }) => ({ kind: 'member', ref: member }),
  deadlineMs: ({ files }) =>
    deadlineMs(files.map(({ content }) => (content === undefined ? LARGEST_FILE_BYTES : bytesIn(content)))),
  plan: (params, [instance], context) => {
    const member = memberOf(context, params.member);
    const { name, workFolder } = member.settings;
    const steps = params.files.map(({ path, blob, content, sha256, mode }, index) => ({
      id: putId(path, index),
      call: 'put_file' as const,
      args: { path, mode, blob: blob ?? null, content: content ?? null, sha256: sha256 ?? null },
      says: `put ${path} into ${workFolder} of ${name}`,
      undo: { none: 'a file that was there before is not kept' },
      estimatedSeconds: SECONDS_A_FILE,
    }));
    const paths = params.files.map(({ path }) => path);
    return planned(member, instance, params, steps, `put into ${workFolder} of ${name}: ${namesOf(paths)}`);
  },
  result: ({ member, files }, { outcomes, facts }) => ({
    status: 'SENT',
    member: facts.member ?? member,
    files: filesOf(files.map(putId), outcomes),
  }),
});

export const receiveFiles = changeOperation({
  name: 'receive_files',
  description: 'Get files from the work folder of a member, starting its machine if it is stopped',
  effect: 'change',
  params: receiveParams,
  reads: ({ member }) => ({ kind: 'member', ref: member }),
  deadlineMs: ({ paths }) => deadlineMs(paths.map(() => LARGEST_FILE_BYTES)),
  plan: (params, [instance], context) => {
    const member = memberOf(context, params.member);
    const { name, workFolder } = member.settings;
    const steps = params.paths.map((path, index) => ({
      id: getId(path, index),
      call: 'get_file' as const,
      args: { path },
      says: `get ${path} from ${workFolder} of ${name}`,
      undo: { none: 'nothing is changed' },
      estimatedSeconds: SECONDS_A_FILE,
    }));
    return planned(member, instance, params, steps, `get from ${workFolder} of ${name}: ${namesOf(params.paths)}`);
  },
  result: ({ member, paths }, { outcomes, facts }) => ({
    status: 'RECEIVED',
    member: facts.member ?? member,
    files: filesOf(paths.map(getId), outcomes),
  }),
});
