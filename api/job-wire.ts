// Jobs in the form in which callers get them: snake_case, and how old what was seen is.
import { attemptsOver, isEnded, LAUNCHED } from '../domain/job.ts';
import type { JobEventRow, JobRow, JobSeen, JobState } from '../service/jobs.ts';

const iso = (at: Date | null) => at?.toISOString() ?? null;

/** What is done for a job in each of its states. */
const PHASES: Readonly<Record<JobState, string>> = {
  queued: 'waiting_for_slot',
  starting: 'getting_ready',
  running: 'watching',
  retrying: 'watching',
  checkpointing: 'watching',
  interrupted: 'resuming',
  completed: 'closed',
  failed: 'closed',
  cancelled: 'closed',
  lost: 'closed',
};

/** A job in a list. */
export function jobItemOf(row: JobRow) {
  return {
    job_id: row.id,
    member_id: row.memberId,
    task_id: row.taskId,
    status: row.state,
    phase: PHASES[row.state],
    reason: row.reason,
    exit_code: row.exitCode,
    retries: row.retriesBefore + Math.max(0, row.attempt - 1),
    launches: row.generation,
    started_by: row.startedBy,
    priority: row.priority,
    labels: row.spec.labels,
    created: iso(row.createdAt),
    started: iso(row.startedAt),
    updated: iso(row.updatedAt),
    ended: iso(row.endedAt),
  };
}

/** At the last look, where a runner looks after it; of a launch that is on its way nobody knows. */
function aliveOf({ state, commandAlive }: JobRow): boolean | null {
  if (LAUNCHED.includes(state)) return commandAlive;
  return state === 'starting' ? null : false;
}

/** A job on its own. */
export function jobOf(seen: JobSeen) {
  const { row, member } = seen;
  const { spec, sights } = row;
  const live = !isEnded(row.state) && row.state !== 'queued';
  const ageS = (at: Date | null) =>
    at === null ? null : Math.max(0, Math.round((row.now.getTime() - at.getTime()) / 1000));
  return {
    ...jobItemOf(row),
    member: member?.settings.name ?? null,
    queue_position: seen.queuePosition,
    command: spec.command,
    restart_command: spec.restartCommand,
    run_from: spec.cwd,
    max_retries: spec.maxRetries,
    resume: spec.resume,
    on_finish: spec.onFinish,
    depends_on: spec.dependsOn,
    attempts: attemptsOver(row).map(({ generation, attempt, exitCode, startedAt, endedAt }) => ({
      launch: generation,
      attempt,
      exit_code: exitCode,
      started: startedAt,
      ended: endedAt,
    })),
    pid_alive: aliveOf(row),
    heartbeat_at: iso(row.heartbeatAt),
    heartbeat_age_s: ageS(row.heartbeatAt),
    looked_at: iso(row.lookedAt),
    looked_age_s: ageS(row.lookedAt),
    boot_id: row.bootId,
    gpu_utilization: live ? (member?.gpuPercent ?? null) : null,
    gpu_orphans: sights.gpu_orphans ?? [],
    gpu_held_mib: sights.gpu_held_mib ?? null,
    disk_free_bytes: sights.disk_free_bytes ?? null,
    spot_notice: sights.spot_notice ?? null,
    cost_usd: seen.costUsd,
    checkpoint: spec.checkpoint && {
      path: spec.checkpoint.path,
      max_age_s: spec.checkpoint.maxAgeS,
      at: iso(row.checkpointAt),
      age_s: ageS(row.checkpointAt),
      bytes: row.checkpointBytes,
      asked: sights.checkpoint_asked ?? null,
      requested_by: row.checkpointRequestedBy,
    },
    log_bytes: row.logBytes,
    log_held: sights.log_held ?? null,
    log_tail: seen.logTail,
    artifacts: seen.artifacts.map(({ path, sha256, bytes }) => ({
      path,
      sha256,
      bytes,
      href: `/api/v1/members/${row.memberId}/files/${encodeURIComponent(path)}?task=${row.artifactsTaskId ?? ''}`,
    })),
    cancel_requested_by: row.cancelRequestedBy,
    gave_way_to: row.yieldedTo,
    auto_stopped: seen.machineStopped,
    stop_task_id: row.stopTaskId,
    folder: `~/.fermata/jobs/${row.id}/`,
    folder_removed: iso(row.cleanedAt),
  };
}

/** An event of a job. */
export function jobEventOf({ at, by, state, says, detail }: JobEventRow) {
  return { at: iso(at), by, status: state, says, detail };
}
