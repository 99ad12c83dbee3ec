// The walls between the rooms hold: each line of a probe that breaks a rule is reported by that rule, and no other line.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ESLint } from 'eslint';
import { assetPath } from '../../config/paths.ts';

const PROBES = assetPath('test', 'rules', 'probe');
const MARK = '//! ';
/** The first probe waits until the whole program is read, on a machine that does something else as well. */
const TIMEOUT_MS = 240_000;

const eslint = new ESLint({ cwd: assetPath() });

/** Which rules report which line, as the rules are for a file at that place. */
async function reported(text: string, place: string): Promise<ReadonlyMap<number, string>> {
  const [result] = await eslint.lintText(text, { filePath: assetPath(place) });
  const byLine = new Map<number, Set<string>>();
  for (const { line, ruleId, message, severity } of result?.messages ?? []) {
    if (severity < 2) continue;
    byLine.set(line, (byLine.get(line) ?? new Set()).add(ruleId ?? message));
  }
  return new Map([...byLine].map(([line, rules]) => [line, [...rules].sort().join(' ')]));
}

test.each(readdirSync(PROBES).map((file) => [file]))(
  '%s',
  async (file) => {
    const text = readFileSync(join(PROBES, file), 'utf8');
    const lines = text.split('\n');
    const place = /^\/\/ as (\S+)$/.exec(lines[0] ?? '')?.[1] ?? '';
    const marked = lines.map((line) => line.split(MARK)[1] ?? '');
    const found = await reported(text, place);
    const shown = (rules: readonly string[]) => lines.map((line, index) => `${rules[index] || 'clean'}: ${line}`);
    expect(shown(lines.map((_, index) => found.get(index + 1) ?? ''))).toEqual(shown(marked));
    expect(marked.filter((rules) => rules !== '').length).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

test(
  'a workflow with its ordinary imports is clean',
  async () => {
    const text = readFileSync(assetPath('workflows', 'task.ts'), 'utf8');
    expect(text).toContain("import type { Activities } from '../activities/index.ts'");
    expect(await reported(text, 'workflows/task.ts')).toEqual(new Map());
  },
  TIMEOUT_MS,
);
