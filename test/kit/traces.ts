// Everything that a system writes down or answers, as text to search: histories, the database, logs, and the API.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { System } from './system.ts';

/** A value in the forms in which a text may hold it: as it is, in JSON, as hexadecimal, and as base64 at any offset. */
function formsOf(value: string): readonly string[] {
  const shifted = [0, 1, 2].map((shift) => {
    const base64 = Buffer.from(`${'x'.repeat(shift)}${value}`).toString('base64');
    // The characters at both ends depend on what stands beside it.
    return base64.slice(shift === 0 ? 0 : shift + 1, -4);
  });
  return [value, JSON.stringify(value).slice(1, -1), Buffer.from(value).toString('hex'), ...shifted];
}

/** Which of the values, by name, a text holds. */
export function foundIn(text: string, values: Readonly<Record<string, string>>): string[] {
  return Object.keys(values).filter((name) => formsOf(values[name] ?? '').some((form) => text.includes(form)));
}

/** The histories of all workflows of the system, payloads decoded. */
export async function historiesOf({ temporal, taskQueue }: System): Promise<string> {
  const texts: string[] = [];
  for await (const { workflowId, runId } of temporal.workflow.list({ query: `TaskQueue = '${taskQueue}'` })) {
    texts.push(textOf(await temporal.workflow.getHandle(workflowId, runId).fetchHistory()));
  }
  return texts.join('\n');
}

/** Every text and every run of bytes in a value, whatever it is nested in. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([key, part]) => `${key} ${textOf(part)}`)
    .join('\n');
}

/** Every row of every table; bytes are hexadecimal. */
export async function databaseOf({ db }: System): Promise<string> {
  const { rows: tables } = await db.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const { rows } = await db.query<{ text: string }>(`select each::text as text from ${name} as each`);
    texts.push(name, ...rows.map(({ text }) => text));
  }
  return texts.join('\n');
}

/** Every file that the processes of the system wrote, without the machines of its sandbox. */
export function filesOf({ dir }: System): string {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
    .filter(({ entry, path }) => entry.isFile() && !path.startsWith(join(dir, 'sandbox', 'hosts')))
    .map(({ path }) => `${path}\n${readFileSync(path, 'utf8')}`)
    .join('\n');
}

/** What the API answers to these. */
export async function answersOf({ api }: System, paths: readonly string[]): Promise<string> {
  const answers = await Promise.all(paths.map((path) => api.call('GET', path)));
  return answers.map(({ status, text }, index) => `${paths[index] ?? ''} ${status}\n${text}`).join('\n');
}

export interface Watch {
  /** Ends it. Returns the names of the values that stood in a command line. */
  end(): readonly string[];
}

/** Looks at the command lines of all processes of this machine, again and again. */
export function watchCommandLines(values: Readonly<Record<string, string>>): Watch {
  const found = new Set<string>();
  const timer = setInterval(() => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        for (const name of foundIn(line, values)) found.add(name);
      } catch {
        // It ended meanwhile.
      }
    }
  }, 20);
  return {
    end: () => {
      clearInterval(timer);
      return [...found];
    },
  };
}
