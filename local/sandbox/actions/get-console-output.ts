// GetConsoleOutput: the boot log of an instance, with its host key, once it has booted.
import type { Read } from './action.ts';

export const getConsoleOutput: Read = {
  kind: 'read',
  name: 'GetConsoleOutput',
  parameters: ['InstanceId', 'Latest'],
  run({ query, cloud, hosts, now }) {
    const id = query.required('InstanceId');
    query.flag('Latest');
    return {
      instanceId: id,
      timestamp: new Date(now).toISOString(),
      output: cloud
        .instancesOf([id], now)
        .map((instance) => Buffer.from(hosts?.consoleOf(instance) ?? '').toString('base64'))
        .join(''),
    };
  },
};
