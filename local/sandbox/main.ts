// The process of the sandbox cloud: options, start, the word that it is ready, and a clean end.
import { resolve } from 'node:path';

import { Calls } from './calls.ts';
import { Faults } from './faults.ts';
import { Hosts } from './host/hosts.ts';
import { claimNetwork } from './host/network.ts';
import { BadOption, help, readOptions } from './options.ts';
import type { Options } from './options.ts';
import { openPersistence } from './persistence.ts';
import { listen } from './server/listen.ts';

async function run(options: Options): Promise<void> {
  const folder = resolve(options.dataDir);
  const network = options.sshPort === undefined ? undefined : await claimNetwork(folder, options.sshPort);
  const persistence = openPersistence(folder, { ...options, network: network?.number });
  const hosts = network && new Hosts(persistence, { folder, network, bootMs: options.bootMs });
  if (hosts) persistence.follow(hosts);
  const box = { persistence, faults: new Faults(), calls: new Calls(), hosts };
  const server = await listen(box, options.host, options.port);
  await hosts?.open();
  const ec2 = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${server.port}`;

  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    hosts?.close();
    void server.close().then(() => {
      persistence.close();
      process.exit(0);
    });
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('disconnect', end);

  const { effectsPath: effects } = persistence;
  const ssh = hosts?.access;
  process.send?.({ type: 'ready', ec2, effects, ...(ssh && { ssh }) });
  const reached = ssh ? `; SSH on port ${ssh.port}, user ${ssh.username}, key ${ssh.key_path}` : '';
  process.stdout.write(`sandbox cloud: ${ec2}, effects in ${effects}${reached}\n`);
}

function fail(message: string, code: number): void {
  process.stderr.write(`sandbox: ${message}\n`);
  process.exitCode = code;
  // A parent's channel would keep a process alive that has nothing to do.
  if (process.connected) process.disconnect();
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(help);
  else await run(options);
} catch (problem) {
  const message = problem instanceof Error ? problem.message : String(problem);
  if (problem instanceof BadOption) fail(`${message}\n\n${help}`, 2);
  else fail(message, 1);
}
