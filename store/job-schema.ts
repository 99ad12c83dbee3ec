// The tables of jobs: what each was asked to be, what was last seen of it, what happened to it, and what it printed.
import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  doublePrecision,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
} from 'drizzle-orm/pg-core';
import type { JobAttempt, JobSpec, JobState } from '../domain/job.ts';
import type { LaunchStep } from '../domain/job-launch.ts';
import type { JsonObject } from '../domain/task.ts';
import { bytes, jsonb, time, words } from './columns.ts';

/** One row a job. */
export const jobs = pgTable(
  'jobs',
  {
    id: text('id').primaryKey(),
    /** The order in which they came. */
    position: bigserial('position', { mode: 'number' }).notNull(),
    tenant: text('tenant').notNull(),
    memberId: text('member_id').notNull(),
    taskId: text('task_id').notNull(),
    startedBy: text('started_by').notNull(),
    spec: jsonb('spec').$type<JobSpec>().notNull(),
    priority: integer('priority').notNull(),
    state: text('state').$type<JobState>().notNull(),
    /** Why it is in that state, in words. */
    reason: words('reason'),
    /** First execution run id of its workflow: who holds its lease. */
    runId: text('run_id').notNull().default(''),
    /** The newest launch; 0 before the first. */
    generation: integer('generation').notNull().default(0),
    /** How far that launch is known to have come. */
    launch: text('launch').$type<LaunchStep>().notNull().default('claimed'),
    /** The attempt of that launch that runs, or ran last. */
    attempt: integer('attempt').notNull().default(0),
    /** Retries that earlier launches used. */
    retriesBefore: integer('retries_before').notNull().default(0),
    /** True when the newest launch lost its runner while its machine ran: that uses a retry. */
    runnerLost: boolean('runner_lost').notNull().default(false),
    attempts: jsonb('attempts').$type<readonly JobAttempt[]>().notNull().default([]),
    /** How long those ran that are no longer among them, seconds. */
    ranBeforeS: doublePrecision('ran_before_s').notNull().default(0),
    /** Marks of the values that its launches took there, by variable, which tell when a secret has another value now. */
    secretMarks: jsonb('secret_marks').$type<Readonly<Record<string, readonly string[]>>>().notNull().default({}),
    exitCode: integer('exit_code'),
    createdAt: time('created_at').notNull(),
    startedAt: time('started_at'),
    updatedAt: time('updated_at').notNull(),
    endedAt: time('ended_at'),
    heartbeatAt: time('heartbeat_at'),
    /** When its machine was last looked at, and in which boot it was. */
    lookedAt: time('looked_at'),
    bootId: text('boot_id'),
    commandAlive: boolean('command_alive'),
    checkpointAt: time('checkpoint_at'),
    checkpointBytes: bigint('checkpoint_bytes', { mode: 'number' }),
    /** Other sights of its machine, for people. */
    sights: jsonb('sights').$type<JsonObject>().notNull().default({}),
    /** How much it printed, whether or not that is kept. */
    logBytes: bigint('log_bytes', { mode: 'number' }).notNull().default(0),
    /** Where byte 0 of the log on the machine is in the kept one: not 0 after its disk was replaced. */
    logBase: bigint('log_base', { mode: 'number' }).notNull().default(0),
    cancelRequestedBy: text('cancel_requested_by'),
    cancelRequestedAt: time('cancel_requested_at'),
    checkpointRequestedBy: text('checkpoint_requested_by'),
    checkpointRequestedAt: time('checkpoint_requested_at'),
    /** The stop that it gave way to, and holds no lease for. */
    yieldedTo: text('yielded_to'),
    /** When anything was last asked of it: whoever watches looks soon after. */
    calledAt: time('called_at'),
    artifactsTaskId: text('artifacts_task_id'),
    stopTaskId: text('stop_task_id'),
    /** When its folder was removed from its machine. */
    cleanedAt: time('cleaned_at'),
  },
  (table) => [
    index('jobs_by_position').on(table.tenant, table.position),
    index('jobs_by_member').on(table.memberId, table.position),
    index('jobs_live')
      .on(table.memberId, table.state)
      .where(sql`ended_at is null`),
    index('jobs_to_clean')
      .on(table.memberId)
      .where(sql`ended_at is not null and cleaned_at is null`),
  ],
);

/** What happened to a job. Never updated. */
export const jobEvents = pgTable(
  'job_events',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    tenant: text('tenant').notNull(),
    jobId: text('job_id').notNull(),
    at: time('at').notNull(),
    by: text('by').notNull(),
    state: text('state').$type<JobState>().notNull(),
    says: words('says').notNull(),
    detail: jsonb('detail').$type<JsonObject>().notNull(),
  },
  (table) => [index('job_events_by_job').on(table.jobId, table.id)],
);

/** The log of a job as far as it was fetched, in parts by their offset, so that it can be read while the machine is off. */
export const jobLog = pgTable(
  'job_log',
  {
    jobId: text('job_id').notNull(),
    fromByte: bigint('from_byte', { mode: 'number' }).notNull(),
    bytes: bytes('bytes').notNull(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.fromByte] })],
);
