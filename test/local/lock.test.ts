// The lock of a data folder, held by real processes: one holder, freed by a kill, not by a process id that comes again.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { follow, type Started } from './clone.ts';

let folder: string;
let claims: Started[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fermata-lock-'));
});

afterEach(async () => {
  for (const { child } of claims) child.kill('SIGKILL');
  await Promise.all(claims.map(({ ended }) => ended));
  claims = [];
  rmSync(folder, { recursive: true, force: true });
});

function claim(name: string): Started {
  const claimed = follow(
    spawn(process.execPath, ['test/local/claim.mjs', folder, name], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  claims.push(claimed);
  return claimed;
}

const numbers = () => readdirSync(folder).filter((name) => name.endsWith('.json'));
const newest = () => join(folder, numbers().sort((a, b) => Number.parseInt(b, 10) - Number.parseInt(a, 10))[0] ?? '');

async function killed(held: Started): Promise<void> {
  held.child.kill('SIGKILL');
  await held.ended;
}

test('one holds it, the next is told who; a release and a kill -9 free it', async () => {
  const first = claim('first');
  await first.says('held');
  await claim('second').says('refused: first');
  first.child.kill('SIGTERM');
  await first.ended;
  const third = claim('third');
  await third.says('held');
  await killed(third);
  await claim('fourth').says('held');
});

test('of many that find a dead holder at once, one holds', async () => {
  for (let round = 0; round < 3; round++) {
    const dead = claim('dead');
    await dead.says('held');
    await killed(dead);
    const many = Array.from({ length: 6 }, (_, n) => claim(`claim ${n}`));
    await Promise.all(many.map((one) => Promise.race([one.says('held'), one.says('refused')])));
    const holders = many.filter((one) => one.output().startsWith('held'));
    expect(holders).toHaveLength(1);
    for (const holder of holders) await killed(holder);
  }
  expect(numbers().length).toBeLessThanOrEqual(2);
});

test('a living process that bears the id of a dead holder does not hold it', async () => {
  const dead = claim('dead');
  await dead.says('held');
  await killed(dead);
  const left: unknown = JSON.parse(readFileSync(newest(), 'utf8'));
  writeFileSync(newest(), JSON.stringify(Object.assign({}, left, { pid: process.pid })));
  await claim('next').says('held');
});

test('a file that a full disk cut off holds nobody up', async () => {
  writeFileSync(join(folder, '1.json'), '{"pid":');
  await claim('next').says('held');
});
