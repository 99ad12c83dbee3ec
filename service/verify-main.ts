// `npm run audit:verify`: checks the hash chain of every tenant and names the first bad sequence number.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openPostgres } from '../clients/postgres.ts';
import type { Env } from '../config/env.ts';
import { readEnv } from '../config/env.ts';
import { ConfigError } from '../config/load.ts';
import { runMain } from '../config/process.ts';
import { tenantsOf, verifyChain } from '../store/audit.ts';

const HELP = `npm run audit:verify -- [--tenant NAME] [--head POSITION:HASH]

Checks every tenant's chain of events against PostgreSQL: that no event was changed, removed or moved since it was
sealed. Prints the head of each chain; keep it somewhere else, and give it back with --head to find out, too, whether
the end of the chain was cut off or the whole of it written anew.

Reads DATABASE_URL, or the addresses that \`npm start\` wrote into the data folder. Exit status 1: something is wrong.
`;

await runMain(async () => {
  const { values } = parseArgs({
    options: { tenant: { type: 'string' }, head: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const known = values.head === undefined ? undefined : headOf(values.head);
  const postgres = openPostgres(databaseUrl(readEnv()), 2);
  try {
    const found = values.tenant === undefined ? await tenantsOf(postgres.db) : [values.tenant];
    // Where nothing is left, somebody who kept a head wants to be told so.
    const tenants = found.length > 0 ? found : ['default'];
    for (const tenant of tenants) await verify(postgres, tenant, known);
  } finally {
    await postgres.close();
  }
  process.exit(process.exitCode ?? 0);
});

async function verify(
  postgres: ReturnType<typeof openPostgres>,
  tenant: string,
  known: ReturnType<typeof headOf> | undefined,
) {
  const { checked, head, firstBad, unsealed, truncated, astray } = await verifyChain(postgres.db, tenant, known);
  const say = (line: string) => process.stdout.write(`${tenant}: ${line}\n`);
  say(`${checked} events right, head ${head.position}:${head.hash}, ${unsealed} not sealed yet`);
  if (firstBad) say(`BAD at ${firstBad.position}: ${firstBad.why}`);
  for (const id of truncated) say(`BAD: the last events of task ${id} are missing`);
  for (const id of astray) say(`BAD: task ${id} does not say what its last event says`);
  if (firstBad || truncated.length + astray.length > 0) process.exitCode = 1;
}

function headOf(text: string): { position: number; hash: string } {
  const [, position, hash] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (position === undefined || hash === undefined) throw new ConfigError('--head must look like 42:<64 hex digits>');
  return { position: Number(position), hash };
}

function databaseUrl(env: Env): string {
  if (env.databaseUrl !== undefined) return env.databaseUrl;
  const path = join(env.dataDir, 'addresses.json');
  try {
    const addresses: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const url: unknown =
      typeof addresses === 'object' && addresses !== null ? Reflect.get(addresses, 'database') : null;
    if (typeof url === 'string') return url;
  } catch {
    // Said below, together with the other way.
  }
  throw new ConfigError(`Set DATABASE_URL, or run \`npm start\`, which writes it to ${path}.`);
}
