// Where lines go: the process's own log on standard output, and the audit file with one line an event.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { destination, pino } from 'pino';
import type { Logger } from 'pino';
import type { TaskEvent } from '../domain/event.ts';

export type Log = Logger;

const LEVELS: Readonly<Record<string, string>> = { WARNING: 'warn', CRITICAL: 'fatal' };

/** Header and body fields that may carry a secret; nothing of the kind is logged on purpose. */
const SECRETS = ['req.headers.authorization', 'req.headers.cookie', '*.password', '*.secret', '*.token'];

/** The log of a process, JSON lines on standard output; `level` as in config.json. */
export function openLog(name: string, level: string): Log {
  return pino({
    name,
    level: LEVELS[level] ?? level.toLowerCase(),
    base: { name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRETS, censor: '[secret]' },
  });
}

export interface AuditLog {
  /** Writes sealed events, in their order. */
  write(batch: readonly { readonly event: TaskEvent; readonly position: number; readonly hash: string }[]): void;
  close(): void;
}

/** The audit file: appended to, one structured line an event, with a literal `task_id=<uuid>` for those who grep. */
export function openAuditLog(path: string, log: Log): AuditLog {
  mkdirSync(dirname(path), { recursive: true });
  // A full disk must not hold up the log that counts, which is the database's.
  let complained = false;
  const complain = (error: unknown) => {
    if (!complained)
      log.error({ err: error }, `the audit file ${path} cannot be written; events are kept all the same`);
    complained = true;
  };
  const file = destination({ dest: path, append: true, sync: true, mkdir: true });
  file.on('error', complain);
  return {
    write: (batch) => {
      const lines = batch.map(({ event, position, hash }) => {
        const { taskId, tenant, seq, at, by, from, to, phase, reason, detail } = event;
        const msg = `task_id=${taskId} ${from ?? 'new'} -> ${to} (${phase}${reason === null ? '' : `, ${reason}`}) by ${by}: ${detail.says}`;
        const line = { audit: true, task_id: taskId, tenant, seq, at, by, from, to, phase, reason, position, hash };
        log.info(line, msg);
        return `${JSON.stringify({ ...line, msg })}\n`;
      });
      try {
        file.write(lines.join(''));
      } catch (error) {
        complain(error);
      }
    },
    close: () => file.end(),
  };
}
