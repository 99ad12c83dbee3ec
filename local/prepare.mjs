// Gets ready what starting, testing and measuring need: packages and the Temporal CLI side by side, then the build.
import { join } from 'node:path';
import { build } from './build.mjs';
import { aloneInClone } from './clone-lock.mjs';
import { dependenciesAreCurrent, installDependencies } from './dependencies.mjs';
import { shortPath } from './settings.mjs';
import { planTemporal, provideTemporal } from './temporal.mjs';

/** Answers `{ cli, complaints }`: the path of the Temporal CLI, and what the compiler had to say. */
export async function prepare({ progress, logs, ownServer }) {
  const say = (text) => progress.line(`… ${text}`);
  const plan = await planTemporal({ ownServer });
  const [temporal, dependencies] = await Promise.allSettled([
    prepareTemporal(plan, progress, join(logs, 'temporal-build.log')),
    aloneInClone(say, (lock) => prepareDependencies(progress, join(logs, 'npm-ci.log'), lock)),
  ]);
  // Both are waited for, so that a failure of one does not leave the other running behind its message.
  for (const { status, reason } of [temporal, dependencies]) if (status === 'rejected') throw reason;
  const complaints = await aloneInClone(say, () => prepareBuild(progress));
  return { cli: temporal.value, complaints };
}

async function prepareTemporal(plan, progress, log) {
  const step = progress.step('temporal', plan.text, { log: plan.version && shortPath(log), quiet: !plan.version });
  try {
    const cli = await provideTemporal(plan, { step, log });
    step.done(plan.version ? 'Temporal CLI ready' : plan.text);
    return cli;
  } catch (error) {
    step.failed('no Temporal CLI');
    throw error;
  }
}

async function prepareDependencies(progress, log, lock) {
  if (dependenciesAreCurrent()) return;
  const step = progress.step('dependencies', 'npm ci, about 700 packages, once', { log: shortPath(log) });
  try {
    const count = await installDependencies(log, (child) => lock.update({ child }));
    step.done(`${count} packages`);
  } catch (error) {
    step.failed('npm ci failed');
    throw error;
  }
}

async function prepareBuild(progress) {
  let step;
  const complaints = await build(() => {
    step = progress.step('build', 'TypeScript and workflow bundle');
  });
  if (complaints === '') step?.done();
  else step.failed('the compiler complains');
  return complaints;
}
