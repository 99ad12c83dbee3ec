// The tables of machines: members, what was observed of them, what was judged, what it cost, and the bytes on their way.
import { sql } from 'drizzle-orm';
import {
  bigserial,
  boolean,
  doublePrecision,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { Disk } from '../domain/disks.ts';
import type { IdleClocks } from '../domain/idle-clocks.ts';
import type { InstanceState } from '../domain/instance.ts';
import type { MemberSettings } from '../domain/member.ts';
import type { SecretRef } from '../domain/secret.ts';
import type { JsonObject } from '../domain/task.ts';
import { bytes, jsonb, time, words } from './columns.ts';

/** One row a registered machine: what its owner said of it, and what was last seen of it. */
export const members = pgTable(
  'members',
  {
    id: text('id').primaryKey(),
    tenant: text('tenant').notNull(),
    /** Lower case: names are unique without regard to case. */
    nameKey: text('name_key').notNull(),
    /** What leases are taken on. */
    target: text('target').notNull(),
    /** Its EC2 instance; null without one, and on the later of two members that an older release let an instance be. */
    instanceId: text('instance_id'),
    settings: jsonb('settings').$type<MemberSettings>().notNull(),
    registeredBy: text('registered_by').notNull(),
    registeredAt: time('registered_at').notNull(),
    updatedAt: time('updated_at').notNull(),
    state: text('state').$type<InstanceState>(),
    /** Where a cloud member was last seen to be reached; a start may change it. */
    address: text('address'),
    instanceType: text('instance_type'),
    /** When the instance was last started, as the cloud says. */
    launchedAt: time('launched_at'),
    observedAt: time('observed_at'),
    /** Pinned fingerprints of its host keys, and how they were found. */
    hostKeys: jsonb('host_keys').$type<readonly string[]>().notNull().default([]),
    hostKeySource: text('host_key_source').$type<'given' | 'console' | 'tofu'>(),
    /** The boot in which it was last found ready, and when; null when it was not since. */
    readyBootId: text('ready_boot_id'),
    readyAt: time('ready_at'),
    /** Why it is not ready, or ready with a flaw. */
    readyNote: words('ready_note'),
    /** What the idle rule remembers between two looks. */
    clocks: jsonb('clocks').$type<IdleClocks>(),
    /** When somebody last gave back a lease with which it was used. */
    lastUseAt: time('last_use_at'),
    snoozedUntil: time('snoozed_until'),
    idleSince: time('idle_since'),
    stopAt: time('stop_at'),
    /** The task by which a policy last set about stopping it. */
    stopTaskId: text('stop_task_id'),
    stopAskedAt: time('stop_asked_at'),
    /** When the sweep looks at it next. */
    probeDueAt: time('probe_due_at').notNull().defaultNow(),
    gpuPercent: doublePrecision('gpu_percent'),
    probedAt: time('probed_at'),
    /** What was last seen of its disks, and when; null before the first look, and when its instance is gone. */
    disks: jsonb('disks').$type<readonly Disk[]>(),
    disksSeenAt: time('disks_seen_at'),
    /** When they are looked at next. */
    disksDueAt: time('disks_due_at').notNull().defaultNow(),
  },
  (table) => [
    uniqueIndex('members_by_name').on(table.tenant, table.nameKey),
    uniqueIndex('members_by_target').on(table.target),
    // Whatever region was said: ids are unambiguous, and members are looked for by them.
    uniqueIndex('members_one_an_instance').on(table.tenant, table.instanceId),
    index('members_by_due').on(table.probeDueAt),
    index('members_by_instance').on(sql`(settings->'cloud'->>'instanceId')`),
  ],
);

/** What happened to a member that is no task: registered, warned, a changed host key. Never updated. */
export const memberEvents = pgTable(
  'member_events',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    tenant: text('tenant').notNull(),
    /** Its id; the target of a machine that no member is on. */
    memberId: text('member_id').notNull(),
    at: time('at').notNull(),
    by: text('by').notNull(),
    kind: text('kind').notNull(),
    says: words('says').notNull(),
    detail: jsonb('detail').$type<JsonObject>().notNull(),
  },
  (table) => [index('member_events_by_member').on(table.memberId, table.id)],
);

/** The last run of each ready step of a member. */
export const readyRuns = pgTable(
  'ready_runs',
  {
    memberId: text('member_id').notNull(),
    name: text('name').notNull(),
    digest: text('digest').notNull(),
    bootId: text('boot_id').notNull(),
    ok: boolean('ok').notNull(),
    at: time('at').notNull(),
    attempts: integer('attempts').notNull(),
    durationMs: integer('duration_ms').notNull(),
    exitCode: integer('exit_code'),
    /** Capped and without secrets. */
    output: words('output').notNull(),
    renewAt: time('renew_at'),
    /** How many times in a row it has failed. */
    failures: integer('failures').notNull().default(0),
    /** What it was given, for hiding what it brought when the step itself is gone. */
    secrets: jsonb('secrets').$type<Readonly<Record<string, SecretRef>>>().notNull().default({}),
  },
  (table) => [primaryKey({ columns: [table.memberId, table.name] })],
);

/** Each judgement of the idle sweep, with all that went into it. */
export const verdicts = pgTable(
  'verdicts',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    memberId: text('member_id').notNull(),
    at: time('at').notNull(),
    verdict: text('verdict').notNull(),
    next: text('next').notNull(),
    reasons: jsonb('reasons').$type<readonly string[]>().notNull(),
    inputs: jsonb('inputs').$type<JsonObject>().notNull(),
  },
  (table) => [index('verdicts_by_member').on(table.memberId, table.id)],
);

/** The cost ledger: how long a machine was in a state, from observed transitions; the open one has no end. */
export const machineTime = pgTable(
  'machine_time',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    memberId: text('member_id').notNull(),
    state: text('state').$type<InstanceState>().notNull(),
    instanceType: text('instance_type').notNull(),
    usdPerHour: doublePrecision('usd_per_hour'),
    fromAt: time('from_at').notNull(),
    toAt: time('to_at'),
  },
  (table) => [
    index('machine_time_by_member').on(table.memberId, table.fromAt),
    uniqueIndex('machine_time_open')
      .on(table.memberId)
      .where(sql`to_at is null`),
  ],
);

/** Files on their way to or from a machine, in parts. */
export const blobs = pgTable('blobs', {
  id: text('id').primaryKey(),
  tenant: text('tenant').notNull(),
  sizeBytes: integer('size_bytes').notNull(),
  sha256: text('sha256').notNull(),
  createdAt: time('created_at').notNull(),
});

export const blobParts = pgTable(
  'blob_parts',
  {
    blobId: text('blob_id').notNull(),
    part: integer('part').notNull(),
    bytes: bytes('bytes').notNull(),
  },
  (table) => [primaryKey({ columns: [table.blobId, table.part] })],
);

/** What `reconcile` found that nobody seems to know: kept until it is no longer so. */
export const findings = pgTable(
  'findings',
  {
    kind: text('kind').notNull(),
    subject: text('subject').notNull(),
    tenant: text('tenant').notNull(),
    says: words('says').notNull(),
    firstSeenAt: time('first_seen_at').notNull(),
    lastSeenAt: time('last_seen_at').notNull(),
    resolvedAt: time('resolved_at'),
  },
  (table) => [primaryKey({ columns: [table.kind, table.subject] })],
);
