// Launches of which something is in doubt: secrets that cannot be read, answers that were lost, machines that went meanwhile.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RebootInstancesCommand } from '@aws-sdk/client-ec2';
import { homeOf } from '../kit/hosts.ts';
import { jobEnds, jobIs, jobNow, startJob } from '../kit/jobs.ts';
import { register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const HELD = 'until [ -e ~/released ]; do sleep 0.2; done';

/** Secrets that are given until a file of theirs says no more. */
const folder = mkdtempSync(join(tmpdir(), 'fermata-launches-'));
const given = (name: string) => ['sh', '-c', `cd ${folder} && [ ! -e ${name} ] && echo value-of-${name}`];

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { secrets: { commands: { shut: given('shut') } } } });
}, 90_000);
afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 30_000);

async function machine(name: string) {
  const instanceId = await system.cloud.make(name);
  const home = homeOf(system, instanceId);
  mkdirSync(home, { recursive: true });
  await register(system, name, { work_folder: home });
  return { instanceId };
}

const says = (id: string, what: string) =>
  until(`it says: ${what}`, async () => (await jobNow(system, id)).reason?.includes(what), 60_000);

test('a secret that cannot be read ends a job that never ran, and only delays one that did', async () => {
  const { instanceId } = await machine('shut');
  const secrets = { TOKEN: { command: 'shut' } };
  const id = await startJob(system, 'shut', HELD, { secrets, restart_command: 'true' });
  await jobIs(system, id, ['running']);
  writeFileSync(join(folder, 'shut'), '');
  await system.cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [instanceId] }));
  await says(id, 'cannot be read');
  rmSync(join(folder, 'shut'));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 2 });
  writeFileSync(join(folder, 'shut'), '');
  const never = await startJob(system, 'shut', 'true', { secrets });
  expect(await jobEnds(system, never)).toMatchObject({ status: 'failed' });
}, 180_000);
