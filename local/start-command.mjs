// Starts Fermata once in a data folder: takes its lock, prepares, launches, and stops everything when asked to.
import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endCommands, onSignals } from './command.mjs';
import { lockHolder, tryLock } from './lock.mjs';
import { isFree, whoHolds, whyTaken } from './port-use.mjs';
import { prepare } from './prepare.mjs';
import { createProgress } from './progress.mjs';
import { addressTable, commandsToTry, describeRunning } from './running.mjs';
import { Refusal, explain, ownFolder, readSettings, root } from './settings.mjs';

const NOT_RUNNING = 3;
const LOOK_MS = 100;

export async function main(command) {
  try {
    const settings = readSettings();
    if (command === 'status') process.exitCode = status(settings);
    else await start(settings);
  } catch (error) {
    console.error(explain(error));
    process.exitCode = 1;
  }
}

function status({ dataDir }) {
  const holder = lockHolder(join(dataDir, 'lock'));
  console.log(holder ? describeRunning(holder, dataDir) : `Fermata is not running in ${dataDir}. Start it: npm start`);
  return holder ? 0 : NOT_RUNNING;
}

async function start(settings) {
  const { dataDir, port } = settings;
  const { lock, holder } = await tryPatiently(join(ownFolder(dataDir, 'FERMATA_DATA_DIR'), 'lock'), {
    state: 'preparing',
    port,
  });
  if (holder) return console.log(describeRunning(holder, dataDir));

  const progress = createProgress();
  const onSignal = onSignals(endCommands);
  try {
    await greet(settings, progress);
    const { cli, complaints } = await prepare({ progress, logs: join(dataDir, 'logs') });
    if (complaints !== '') throw new Refusal(`The build failed:\n${complaints}`);
    await run(settings, { cli, lock, progress, onSignal });
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** One that is stopping is gone in a moment: whoever starts again at once wants a start, not a report. */
async function tryPatiently(folder, about) {
  for (;;) {
    const answer = tryLock(folder, about);
    if (answer.holder?.state !== 'stopping') return answer;
    await sleep(LOOK_MS);
  }
}

async function greet({ dataDir, host, port }, progress) {
  const isFirst = !existsSync(join(root, 'dist/.fermata-stamp'));
  progress.line(`Fermata${isFirst ? '   first start; later ones take about 10 s' : ''}`);
  const free = await isFree(port, host);
  // An API that its launcher left is ended later, once it is proved to be ours.
  if (!free && !whoHolds(port)?.command.includes(join(root, 'dist'))) throw new Refusal(whyTaken(port));
  const { bavail, bsize } = statfsSync(dataDir);
  const node = process.versions.node.split('.').slice(0, 2).join('.');
  progress.line(`✓ Node ${node} · ${Math.floor((bavail * bsize) / 1e9)} GB free · port ${port}${free ? ' free' : ''}`);
}

/** Resolves when everything runs; from then on the process lives by its children, until a signal or a crash stops all. */
async function run(settings, { cli, lock, progress, onSignal }) {
  const { Launcher } = await import('../dist/local/launcher.js');
  const launcher = new Launcher({ ...settings, cli, progress, env: process.env });
  let stopping;
  const stop = (said, code) => {
    stopping ??= stopAll(launcher, { lock, progress, said }).then(
      () => process.exit(code),
      (error) => {
        progress.line(error.stack);
        process.exit(1);
      },
    );
    return stopping;
  };
  onSignal(() => stop('Stopping', 0));
  process.on('uncaughtException', (error) => stop(`Stopping after an error of the launcher: ${error.stack}`, 1));
  try {
    const { addresses, approvalSeconds } = await launcher.start();
    lock.update({ state: 'running' });
    progress.line(`\n${addressTable(addresses, settings.dataDir)}\n\n${commandsToTry(addresses, approvalSeconds)}\n`);
    progress.line('Ctrl-C stops all of it; nothing is lost.');
  } catch (error) {
    await stop(explain(error), 1);
  }
}

async function stopAll(launcher, { lock, progress, said }) {
  progress.line(said);
  lock.update({ state: 'stopping' });
  await launcher.stop();
  lock.release();
  progress.line('Stopped');
}
