// The type of a catalogue entry. An operation is pure: it says what to read, plans from what was seen, words the result.
import type { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import type { Instance, InstanceQuery, Query } from '../domain/instance.ts';
import type { MemberSettings } from '../domain/member.ts';
import type { PlanDraft, StepOutcome } from '../domain/plan.ts';
import type { Policy } from '../domain/policy.ts';
import type { Effect, JsonObject } from '../domain/task.ts';
import { unstorable } from '../domain/text.ts';
import { issuesOf } from './issues.ts';

/** A member as a plan sees it. */
export interface MemberSeen {
  readonly id: string;
  readonly target: string;
  readonly settings: MemberSettings;
}

export interface PlanContext {
  readonly region: string;
  readonly agents: Policy['agents'];
  /** What config says of prices. */
  readonly prices?: Policy['prices'];
  /** The member that was asked for. */
  readonly member?: MemberSeen;
  /** Ids of the jobs that run on the instance that was asked for. */
  readonly jobs?: readonly string[];
}

/** What a result is worded from. */
export interface Evidence {
  readonly taskId: string;
  readonly facts: JsonObject;
  readonly outcomes: readonly StepOutcome[];
}

interface Described {
  readonly name: string;
  /** One sentence, shown in the list of operations. */
  readonly description: string;
}

interface ReadDefinition<P> extends Described {
  readonly effect: 'read';
  readonly params: z.ZodObject & z.ZodType<P>;
  reads(params: P): InstanceQuery;
  /** Words the result from what was seen. */
  answer(params: P, seen: readonly Instance[]): JsonObject;
}

interface ChangeDefinition<P> extends Described {
  readonly effect: 'change' | 'destroy';
  readonly params: z.ZodObject & z.ZodType<P>;
  reads(params: P): Query;
  /** True when a failure is no reason to take back what was done, since just that was asked for; `?undo=true` still is. */
  readonly keepsOnFailure?: boolean;
  /** The least that execution may take, ms, where that follows from the parameters. */
  deadlineMs?(params: P): number;
  /** Plans from what was seen, or throws `PlanRefused` or `TargetNotFound` with a reason a person can act on. */
  plan(params: P, seen: readonly Instance[], context: PlanContext): PlanDraft;
  result(params: P, evidence: Evidence): JsonObject;
}

/** An operation with its parameters filled in. */
export type Prepared =
  | { readonly effect: 'read'; readonly reads: InstanceQuery; answer(seen: readonly Instance[]): JsonObject }
  | {
      readonly effect: 'change' | 'destroy';
      readonly reads: Query;
      readonly deadlineMs?: number;
      plan(seen: readonly Instance[], context: PlanContext): PlanDraft;
      result(evidence: Evidence): JsonObject;
    };

export interface Operation extends Described {
  readonly effect: Effect;
  readonly keepsOnFailure: boolean;
  readonly schema: z.ZodObject;
  /** Names of the required parameters in the order of the schema. */
  readonly required: readonly string[];
  /** Parses the parameters. Throws `MissingParams` or `InvalidParams`. */
  prepare(params: JsonObject): Prepared;
}

/** Makes a catalogue entry out of a read. */
export function readOperation<P>(definition: ReadDefinition<P>): Operation {
  return entry(definition, (params) => ({
    effect: 'read',
    reads: definition.reads(params),
    answer: (seen) => definition.answer(params, seen),
  }));
}

/** Makes a catalogue entry out of a change. */
export function changeOperation<P>(definition: ChangeDefinition<P>): Operation {
  return entry(definition, (params) => ({
    effect: definition.effect,
    reads: definition.reads(params),
    ...(definition.deadlineMs && { deadlineMs: definition.deadlineMs(params) }),
    plan: (seen, context) => definition.plan(params, seen, context),
    result: (evidence) => definition.result(params, evidence),
  }));
}

function entry<P>(definition: ReadDefinition<P> | ChangeDefinition<P>, bind: (params: P) => Prepared): Operation {
  const { name, description, effect, params: schema } = definition;
  const required = Object.entries(schema.shape)
    .filter(([, field]) => !accepts(field, undefined))
    .map(([key]) => key);
  return {
    name,
    description,
    effect,
    keepsOnFailure: definition.effect !== 'read' && definition.keepsOnFailure === true,
    schema,
    required,
    prepare: (raw) => bind(parse(name, definition.params, required, raw)),
  };
}

function accepts(field: unknown, value: unknown): boolean {
  if (typeof field !== 'object' || field === null || !('safeParse' in field)) return false;
  const { safeParse } = field;
  if (typeof safeParse !== 'function') return false;
  const answer: unknown = safeParse.call(field, value);
  return typeof answer === 'object' && answer !== null && Reflect.get(answer, 'success') === true;
}

function parse<P>(operation: string, schema: z.ZodType<P>, required: readonly string[], raw: JsonObject): P {
  const missing = required.filter((key) => !Object.hasOwn(raw, key));
  if (missing.length > 0) throw new Failure('MissingParams', { operation, missing: pythonList(missing) });
  const bad = unstorable(raw);
  if (bad) throw new Failure('InvalidParams', { operation, why: `${['params', ...bad.path].join('.')} ${bad.why}` });
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issues = issuesOf(parsed.error, ['body', 'params'], raw);
  const why = issues.map(({ loc, msg }) => `${loc.slice(2).join('.')}: ${msg}`).join('; ');
  throw new Failure('InvalidParams', { operation, why }, issues);
}

/** A list of names as the contract prints it: `['a', 'b']`. */
export function pythonList(names: readonly string[]): string {
  return `[${names.map((name) => `'${name}'`).join(', ')}]`;
}
