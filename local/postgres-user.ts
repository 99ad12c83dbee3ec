// Finds a way to run PostgreSQL, which refuses to run as root, where this process is root.
import { execFile } from 'node:child_process';
import { chownSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Refusal } from './refusal.ts';

const run = promisify(execFile);
const NOBODY = 65534;

export interface PostgresUser {
  /** What goes before the command. */
  readonly prefix: readonly string[];
  /** Who must own the files, as seen from outside; undefined: whoever made them. */
  readonly uid?: number;
}

/**
 * A user namespace comes first: files stay root's, so it works in a folder that only root may enter. Containers often
 * forbid it; there, `nobody` with the one capability to pass through root's folders does.
 */
export const WAYS: readonly PostgresUser[] = [
  { prefix: ['unshare', '--user', '--map-user=1000', '--'], uid: 0 },
  {
    prefix: [
      'setpriv',
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      '--clear-groups',
      '--inh-caps=+dac_override',
      '--ambient-caps=+dac_override',
      '--',
    ],
    uid: NOBODY,
  },
];

export async function postgresUser(binary: string): Promise<PostgresUser> {
  if (process.getuid?.() !== 0) return { prefix: [] };
  const reasons: string[] = [];
  for (const way of WAYS) {
    const [command = '', ...args] = [...way.prefix, binary, '--version'];
    try {
      await run(command, args, { timeout: 10_000 });
      return way;
    } catch (error) {
      reasons.push(`${command}: ${error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error)}`);
    }
  }
  throw new Refusal(
    'PostgreSQL does not run as root, and neither `unshare` nor `setpriv` could run it as somebody else ' +
      `(${reasons.join('; ')}). Start as another user, or set DATABASE_URL to a PostgreSQL of your own.`,
  );
}

/** A folder that was last used by another way belongs to another user; PostgreSQL insists on its own. */
export function handOver(folder: string, user: PostgresUser): void {
  if (user.uid === undefined) return;
  const top = lstatSync(folder, { throwIfNoEntry: false });
  if (!top || top.uid === user.uid) return;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    chownSync(join(entry.parentPath, entry.name), user.uid, top.gid);
  }
  chownSync(folder, user.uid, top.gid);
}
