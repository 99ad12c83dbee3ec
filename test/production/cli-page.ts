// Runs the commands of docs/temporal-cli.md exactly as they stand there, with the real CLI against a test's system.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../../config/paths.ts';
import { runToEnd } from '../kit/processes.ts';
import type { System } from '../kit/system.ts';

export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

export interface CliPage {
  /** Every command block, in the order of the page; the first one sets what the others use. */
  readonly blocks: readonly string[];
  /** Runs the one block that contains `text`, with these shell variables. Throws when there is none or several. */
  run(text: string, variables?: Readonly<Record<string, string>>): Promise<Ran>;
  /** The blocks that were not run so far. */
  left(): readonly string[];
  /** Any other command of the CLI. */
  temporal(...args: readonly string[]): Promise<Ran>;
  /** What the page's `status` query says of a task. */
  status(id: string): Promise<z.output<typeof view>>;
}

const view = z.looseObject({
  status: z.string(),
  phase: z.string(),
  reason: z.string().nullable(),
  planDigest: z.string().nullable(),
});

/** The page as commands that reach this system. */
export function cliPage(system: System): CliPage {
  const page = readFileSync(join(packageRoot, 'docs', 'temporal-cli.md'), 'utf8');
  const blocks = [...page.matchAll(/^```bash\n(.*?)^```$/gms)].map(([, code = '']) => code);
  const [setUp = '', ...commands] = blocks;
  const env = environmentFor(system);
  const done = new Set<string>();
  const run: CliPage['run'] = async (text, variables = {}) => {
    const [block, another] = commands.filter((code) => code.includes(text));
    if (block === undefined || another !== undefined) throw new Error(`not exactly one command with ${text}`);
    done.add(block);
    return runToEnd('bash', ['-euc', setUp + block], { ...env, ...variables });
  };
  return {
    blocks,
    run,
    left: () => commands.filter((code) => !done.has(code)),
    temporal: (...args) => runToEnd('bash', ['-c', 'exec temporal "$@"', 'temporal', ...args], env),
    status: async (id) => {
      const { output } = await run('--type status', { ID: id });
      return view.parse(JSON.parse(/QueryResult\s+(\{.*\})/.exec(output)?.[1] ?? ''));
    },
  };
}

/** The id that the page's commands for starting print as their last line. */
export function printedId({ code, output }: Ran): string {
  const id = /^[0-9a-f-]{36}$/m.exec(output)?.[0];
  if (code !== 0 || id === undefined) throw new Error(`nothing was started: ${output}`);
  return id;
}

function environmentFor({ dir, temporalAddress, taskQueue }: System): Record<string, string> {
  const bin = join(dir, 'cli');
  mkdirSync(bin);
  symlinkSync(process.env['TEMPORAL_CLI_PATH'] ?? '', join(bin, 'temporal'));
  // The user's own profile belongs to another server.
  const profile = join(dir, 'profile.toml');
  writeFileSync(profile, '[profile.default]\n');
  return {
    PATH: [bin, process.env['PATH'] ?? ''].join(delimiter),
    TEMPORAL_CONFIG_FILE: profile,
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: 'default',
    QUEUE: taskQueue,
  };
}
