// A host lives and ends with its instance: what it keeps over stops, reboots and restarts of the sandbox, and what it loses.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';

import { control, effectsOf, freshFolder, idOf, present, reaches, startBox, stateOf, until } from './box.ts';
import type { Box } from './box.ts';
import { addressOf, closed, closeLinks, listens, lives, logIn } from './hosts-client.ts';
import type { Link } from './hosts-client.ts';

let folder: string;
const boxes: Box[] = [];
beforeEach(() => {
  folder = freshFolder();
});
afterEach(async () => {
  closeLinks();
  for (const box of boxes.splice(0)) {
    // A killed sandbox leaves the processes of its hosts: the next one, ended in peace, takes them along.
    if (box.child.signalCode === 'SIGKILL') await (await startBox({ folder: box.folder })).end('SIGTERM', 'keep');
    await box.end('SIGTERM', 'keep');
    rmSync(box.folder, { recursive: true, force: true });
  }
});

async function start(...args: string[]): Promise<Box> {
  const box = await startBox({ folder, stateMs: 40, args: ['--boot-ms', '60', ...args] });
  boxes.push(box);
  return box;
}

/** Two processes that end by themselves after a minute: one in the group of its command, one in a session of its own. */
async function leaveProcesses(link: Link): Promise<number[]> {
  const { out } = await link.run(
    'setsid sleep 60 </dev/null >/dev/null 2>&1 & sleep 60 </dev/null >/dev/null 2>&1 & echo $!',
  );
  const inGroup = Number(out);
  const alone = 'for p in /proc/[0-9]*; do [ "$(cut -d " " -f 6 $p/stat 2>/dev/null)" = "${p#/proc/}" ] || continue; ';
  const { out: found } = await link.run(
    `${alone} tr "\\0" "\\n" < $p/environ 2>/dev/null | grep -q "FOLDER=$FERMATA_SANDBOX_FOLDER$" && [ "$(cat $p/comm)" = sleep ] && echo \${p#/proc/}; done`,
  );
  const pids = [inGroup, ...found.trim().split('\n').map(Number)];
  expect(pids.length).toBe(2);
  expect(pids.every(lives)).toBe(true);
  return pids;
}

/** What got a SIGKILL is gone when the kernel next runs it; by itself it would go after a minute. */
const untilEnded = (pids: readonly number[]) => until('its processes have ended', () => !pids.some(lives));

const bootIdOf = async (link: Link) => (await link.run('cat "$FERMATA_BOOT_ID_FILE"')).out;
const keyShown = async (box: Box, name: string): Promise<string> => {
  let shown = '';
  const hostVerifier = (key: Buffer) => {
    shown = key.toString('base64');
    return true;
  };
  await (await logIn(box, name, { hostVerifier })).close();
  return shown;
};

test('nothing listens before the instance runs and has booted, nor once it stops', async () => {
  const box = await start('--state-ms', '400');
  const id = await idOf(box, 'vm-dev-01');
  await box.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
  const place = await addressOf(box, id);
  expect(await stateOf(box, id)).toBe('pending');
  expect(await listens(place)).toBe(false);
  await until('it listens', () => listens(place));
  expect(await stateOf(box, id)).toBe('running');

  const link = await logIn(box, id);
  const pids = await leaveProcesses(link);
  const cut = closed(link.client);
  await box.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  expect(await stateOf(box, id)).toBe('stopping');
  expect(await listens(place)).toBe(false);
  await cut;
  await untilEnded(pids);
});

test('a stop and a start keep the disk and the host key, and give another address and boot id', async () => {
  const box = await start();
  const id = await idOf(box, 'vm-prod-01');
  const first = await addressOf(box, id);
  const key = await keyShown(box, id);
  const link = await logIn(box, id);
  const bootId = await bootIdOf(link);
  expect(bootId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{21}\n$/);
  expect(await bootIdOf(link)).toBe(bootId);
  await link.run('echo kept > file');
  await box.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  await reaches(box, id, 'stopped');
  expect((await control(box, `GET instances/${id}`)).json).toMatchObject({ ssh: null });
  await box.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
  const second = await addressOf(box, id);
  expect(second.host).not.toBe(first.host);
  await until('it listens', () => listens(second));
  const again = await logIn(box, id);
  expect((await again.run('cat file')).out).toBe('kept\n');
  expect(await bootIdOf(again)).not.toBe(bootId);
  expect(await keyShown(box, id)).toBe(key);
  expect(await keyShown(box, 'vm-prod-02')).not.toBe(key);
});

test('a reboot ends what runs and keeps the address', async () => {
  const box = await start();
  const id = await idOf(box, 'web-1');
  const place = await addressOf(box, id);
  const link = await logIn(box, id);
  const [bootId, pids] = [await bootIdOf(link), await leaveProcesses(link)];
  await box.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }));
  expect(await listens(place)).toBe(false);
  await untilEnded(pids);
  await until('it listens', () => listens(place));
  expect(await bootIdOf(await logIn(box, id))).not.toBe(bootId);
});

test.each([
  ['sudo shutdown -h now', 'SandboxShutdown', 'stopped'],
  ['poweroff', 'SandboxShutdown', 'stopped'],
  ['sudo shutdown -r now "to be tried out"', 'SandboxReboot', 'running'],
  ['reboot', 'SandboxReboot', 'running'],
])('%s from inside is a %s', async (command, action, state) => {
  const box = await start();
  const id = await idOf(box, 'web-2');
  const link = await logIn(box, id);
  const pids = await leaveProcesses(link);
  const cut = closed(link.client);
  await link.open(command);
  await cut;
  await reaches(box, id, state);
  expect(effectsOf(box)).toMatchObject([
    { action, instance_ids: [id], changed: [id], outcome: 'ok', principal: 'guest' },
  ]);
  await untilEnded(pids);
  expect((await control(box, `GET instances/${id}`)).json).toMatchObject({ reboots: state === 'running' ? 1 : 0 });
});

test('a shutdown in some minutes waits for them, and can be called off', async () => {
  const box = await start();
  const link = await logIn(box, 'web-1');
  const waiting = `${box.folder}/hosts/${await idOf(box, 'web-1')}/shutdown.pid`;
  expect((await link.run('shutdown -h +30')).code).toBe(0);
  const pid = Number(readFileSync(waiting, 'utf8'));
  expect(lives(pid)).toBe(true);
  expect((await link.run('shutdown -c')).code).toBe(0);
  await until('nobody waits any more', () => !lives(pid));
  expect(await link.run('shutdown tomorrow')).toMatchObject({ code: 1, err: expect.stringContaining('tomorrow') });
  expect(effectsOf(box)).toEqual([]);
});

test('a sandbox that is killed leaves its machines running: same address, key, boot and processes', async () => {
  const first = await start();
  const place = await addressOf(first, 'web-1');
  const key = await keyShown(first, 'web-1');
  const link = await logIn(first, 'web-1');
  const [bootId, pids] = [await bootIdOf(link), await leaveProcesses(link)];
  const stopped = await logIn(first, 'web-2');
  const lost = await leaveProcesses(stopped);
  await first.end('SIGKILL', 'keep');
  // As if it had been stopped while the sandbox was away.
  const statePath = join(folder, 'state.json');
  const state = JSON.parse(readFileSync(statePath, 'utf8'));
  const gone = state.records.instances.find((one: { tags: { Name: string } }) => one.tags.Name === 'web-2');
  gone.settled = 'stopped';
  writeFileSync(statePath, JSON.stringify(state));

  const second = await start();
  expect(await addressOf(second, 'web-1')).toEqual(place);
  expect(await keyShown(second, 'web-1')).toBe(key);
  expect(await bootIdOf(await logIn(second, 'web-1'))).toBe(bootId);
  await untilEnded(lost);
  expect(pids.every(lives)).toBe(true);
});

test('a sandbox that ends takes the processes of its hosts along; they boot anew with the next one', async () => {
  const first = await start();
  const link = await logIn(first, 'web-1');
  const [bootId, pids] = [await bootIdOf(link), await leaveProcesses(link)];
  expect(await first.end('SIGTERM', 'keep')).toBe(0);
  await untilEnded(pids);
  const second = await start();
  expect(await bootIdOf(await logIn(second, 'web-1'))).not.toBe(bootId);
});

test('a terminated machine leaves its disk until it is buried', async () => {
  const first = await start();
  const id = await idOf(first, 'web-1');
  const disk = join(folder, 'hosts', id);
  await (await logIn(first, id)).run('echo kept > file');
  await first.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  await reaches(first, id, 'terminated');
  expect((await control(first, `GET instances/${id}`)).json).toMatchObject({ ssh: null });
  expect(existsSync(disk)).toBe(true);
  await first.end('SIGTERM', 'keep');
  const statePath = join(folder, 'state.json');
  const state = JSON.parse(readFileSync(statePath, 'utf8'));
  state.records.instances.find((one: { id: string }) => one.id === id).settles_at_ms -= 3_600_000;
  writeFileSync(statePath, JSON.stringify(state));
  const second = await start();
  expect((await control(second, `GET instances/${id}`)).status).toBe(404);
  expect([existsSync(disk), existsSync(join(folder, 'ssh', 'hosts', id))]).toEqual([false, false]);
});

test('sandboxes side by side have networks of their own, and one ends nothing of another', async () => {
  const one = await start();
  const other = await startBox({ args: ['--boot-ms', '0'] });
  boxes.push(other);
  const id = await idOf(one, 'web-1');
  expect(await idOf(other, 'web-1')).toBe(id);
  const networkOf = async (box: Box) => (await addressOf(box, id)).host.split('.')[1];
  expect(await networkOf(one)).not.toBe(await networkOf(other));
  const pids = await leaveProcesses(await logIn(one, id));
  await leaveProcesses(await logIn(other, id));
  await other.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  expect(pids.every(lives)).toBe(true);
  expect(present(one.ssh).key_path).not.toBe(present(other.ssh).key_path);
});
