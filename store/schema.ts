// The tables. PostgreSQL is what is listed, searched, audited and kept; Temporal's history is the truth of a task in flight.
import {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  json,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { EventDetail } from '../domain/event.ts';
import type { LeaseMode } from '../domain/lease.ts';
import type { Plan } from '../domain/plan.ts';
import type { Effect, JsonObject, Risk, TaskPhase, TaskReason, TaskStatus, Terms } from '../domain/task.ts';
import { jsonb, time, words } from './columns.ts';

/** Milliseconds are what JavaScript can carry; what is hashed must read back as it was written. */

/** One row a task: what the last event made of it, besides what it was submitted with. */
export const tasks = pgTable(
  'tasks',
  {
    id: text('id').primaryKey(),
    /** The order of registration, which is the order of the list. */
    position: bigserial('position', { mode: 'number' }).notNull(),
    tenant: text('tenant').notNull(),
    operation: text('operation').notNull(),
    resource: text('resource').notNull(),
    params: jsonb('params').$type<JsonObject>().notNull(),
    fingerprint: text('fingerprint'),
    requestedBy: text('requested_by').notNull(),
    risk: text('risk').$type<Risk>().notNull(),
    effect: text('effect').$type<Effect>().notNull(),
    status: text('status').$type<TaskStatus>().notNull(),
    phase: text('phase').$type<TaskPhase>().notNull(),
    reason: text('reason').$type<TaskReason>(),
    terms: jsonb('terms').$type<Terms>(),
    plan: jsonb('plan').$type<Plan>(),
    planDigest: text('plan_digest'),
    /** Not jsonb, which would forget the order of the keys that callers know. */
    result: json('result').$type<JsonObject>(),
    error: words('error'),
    decidedBy: text('decided_by'),
    approved: boolean('approved'),
    /** True once somebody was told that the approval counts: then it no longer gets too old to be acted on. */
    acknowledged: boolean('acknowledged').notNull().default(false),
    approveBy: time('approve_by'),
    attempts: integer('attempts'),
    /** First execution run id of the workflow that owns the row; another one is refused. */
    firstRunId: text('first_run_id'),
    lastSeq: integer('last_seq').notNull().default(0),
    stopRequestedAt: time('stop_requested_at'),
    stopRequestedBy: text('stop_requested_by'),
    undoRequested: boolean('undo_requested').notNull().default(false),
    /** When `reconcile` last compared the row with its workflow. */
    checkedAt: time('checked_at').notNull().defaultNow(),
    createdAt: time('created_at').notNull(),
    updatedAt: time('updated_at').notNull(),
  },
  (table) => [
    uniqueIndex('tasks_by_position').on(table.tenant, table.position),
    index('tasks_by_status').on(table.tenant, table.status, table.position),
    index('tasks_by_operation').on(table.tenant, table.operation, table.position),
  ],
);

/** Append-only; a trigger refuses updates and deletes, queues each event for its seal and notifies who waits. */
export const events = pgTable(
  'events',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    tenant: text('tenant').notNull(),
    taskId: text('task_id').notNull(),
    seq: integer('seq').notNull(),
    at: time('at').notNull(),
    by: text('by').notNull(),
    from: text('from_status').$type<TaskStatus>(),
    to: text('to_status').$type<TaskStatus>().notNull(),
    phase: text('phase').$type<TaskPhase>().notNull(),
    reason: text('reason').$type<TaskReason>(),
    detail: jsonb('detail').$type<EventDetail>().notNull(),
  },
  (table) => [uniqueIndex('events_by_task').on(table.taskId, table.seq)],
);

/** Events that have no seal yet; the sealer empties it. */
export const unsealed = pgTable('unsealed', {
  eventId: bigint('event_id', { mode: 'number' }).primaryKey(),
  tenant: text('tenant').notNull(),
});

/** The tenant's order of events and its hash chain. */
export const seals = pgTable(
  'seals',
  {
    tenant: text('tenant').notNull(),
    position: bigint('position', { mode: 'number' }).notNull(),
    eventId: bigint('event_id', { mode: 'number' }).notNull(),
    taskId: text('task_id').notNull(),
    seq: integer('seq').notNull(),
    hash: text('hash').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.position] }), uniqueIndex('seals_by_event').on(table.eventId)],
);

/** The right to use (shared) or change (exclusive) a target for a while. */
export const leases = pgTable(
  'leases',
  {
    target: text('target').notNull(),
    holder: text('holder').notNull(),
    mode: text('mode').$type<LeaseMode>().notNull(),
    fence: bigserial('fence', { mode: 'number' }).notNull(),
    holderRunId: text('holder_run_id').notNull(),
    takenAt: time('taken_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.target, table.holder] }), index('leases_by_holder').on(table.holder)],
);

/** Written just before a mutating call: what lets a later attempt know that this task has set about it. */
export const stepMarks = pgTable(
  'step_marks',
  {
    taskId: text('task_id').notNull(),
    stepId: text('step_id').notNull(),
    markedAt: time('marked_at').notNull(),
    /** When the cloud answered the call with a success. */
    answeredAt: time('answered_at'),
  },
  (table) => [primaryKey({ columns: [table.taskId, table.stepId] })],
);
