// What the cloud remembers: instances with their root volume, snapshots and client tokens, as they stand in its files.
import { flag, listOf, number, object, oneOf, optional, recordOf, text } from './shape.ts';
import type { Shaped } from './shape.ts';

const states = ['pending', 'running', 'shutting-down', 'terminated', 'stopping', 'stopped'] as const;
export type State = (typeof states)[number];

const diskShape = object({
  kind: text,
  size_gib: number,
  /** 0 where the kind has none to provision. */
  iops: number,
  throughput: number,
});
export type Disk = Shaped<typeof diskShape>;

const instanceShape = object({
  id: text,
  number,
  reservation_id: text,
  client_token: text,
  type: text,
  image_id: text,
  zone: text,
  tags: recordOf(text),
  protected: flag,
  launch_index: number,
  created_at_ms: number,
  /** The state is `passing` until `settles_at_ms` and `settled` from then on, so a restart loses no transition. */
  passing: oneOf(states),
  settled: oneOf(states),
  settles_at_ms: number,
  launched_at_ms: number,
  checks_settle_at_ms: number,
  reboots: number,
  /** Counts the public addresses given out, so that each start gets one that nobody had before. */
  public_number: number,
  reason: text,
  reason_code: text,
  reason_message: text,
  volume_id: text,
  volume_tags: recordOf(text),
  /** Its root volume where the launch asked for another one than usual. */
  disk: optional(diskShape),
});
export type Instance = Shaped<typeof instanceShape>;

const snapshotShape = object({
  id: text,
  number,
  volume_id: text,
  size_gib: number,
  description: text,
  tags: recordOf(text),
  started_at_ms: number,
  settles_at_ms: number,
});
export type Snapshot = Shaped<typeof snapshotShape>;

const tokenShape = object({
  token: text,
  fingerprint: text,
  reservation_id: text,
  instance_ids: listOf(text),
});
export type Token = Shaped<typeof tokenShape>;

export const recordsShape = object({
  instances: listOf(instanceShape),
  snapshots: listOf(snapshotShape),
  tokens: listOf(tokenShape),
});
export type Records = Shaped<typeof recordsShape>;
