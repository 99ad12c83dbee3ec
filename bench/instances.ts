// Instances to act on.
import type { System } from '../test/kit/system.ts';
import { until } from '../test/kit/until.ts';

/** Makes an instance and waits until it runs: a plan made on one that still starts is superseded a moment later. */
export async function makeRunning({ cloud }: System, name: string): Promise<string> {
  const id = await cloud.make(name);
  await until(`${name} runs`, async () => (await cloud.stateOf(id)) === 'running');
  return id;
}
