// Hosts of the sandbox in a test: where each is, its key, the folder that is its home, and trouble made for it.
import { join } from 'node:path';
import { GetConsoleOutputCommand } from '@aws-sdk/client-ec2';
import { z } from 'zod';
import { fingerprintsIn } from '../../clients/ssh/index.ts';
import type { System } from './system.ts';
import { until } from './until.ts';

export interface Host {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly keyPath: string;
  /** `SHA256:...` of its host key. */
  readonly fingerprint: string;
  /** Its home, as a folder of this machine. */
  readonly home: string;
}

const login = z.looseObject({ username: z.string(), key_path: z.string() });
const shown = z.looseObject({
  id: z.string(),
  ssh: z.object({ host: z.string(), port: z.number(), links: z.number(), mode: z.string() }).loose(),
});
const newKey = z.looseObject({ fingerprint: z.string() });

/** The folder that is the home of an instance, by its id. */
export function homeOf({ dir }: System, instanceId: string): string {
  return join(dir, 'sandbox', 'hosts', instanceId, 'home');
}

/** A running instance as a host that anybody could log in to. */
export async function hostOf(system: System, name: string): Promise<Host> {
  const { username, key_path: keyPath } = login.parse(system.cloud.process.ready.ssh);
  const { id, ssh } = await shownOf(system, name);
  const fingerprint = await until(`the console of ${name} shows its key`, async () => {
    const { Output = '' } = await system.cloud.ec2.send(new GetConsoleOutputCommand({ InstanceId: id }));
    return fingerprintsIn(Buffer.from(Output, 'base64').toString())[0];
  });
  return { host: ssh.host, port: ssh.port, username, keyPath, fingerprint, home: homeOf(system, id) };
}

/** Gives a host another key, as if it had been set up anew. Returns the fingerprint. */
export async function changeHostKey(system: System, name: string): Promise<string> {
  return newKey.parse(await control(system, `instances/${name}/host-key`, 'POST')).fingerprint;
}

async function shownOf(system: System, name: string) {
  return shown.parse(await control(system, `instances/${name}`, 'GET'));
}

async function control({ cloud }: System, path: string, method: 'GET' | 'POST'): Promise<unknown> {
  const answer = await fetch(`${String(cloud.process.ready.ec2)}/_sandbox/${path}`, { method });
  if (!answer.ok) throw new Error(`sandbox ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
