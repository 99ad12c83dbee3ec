// Refuses a Node that is too old by a sentence: written so that an old Node can read it.
import { readFileSync } from 'fs';

export function nodeIsNewEnough(version = process.versions.node) {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const needed = manifest.engines.node.replace('>=', '');
  if (version.localeCompare(needed, 'en', { numeric: true }) >= 0) return true;
  console.error('Fermata needs Node ' + needed + ' or later, this is Node ' + version + ' (' + process.execPath + ').');
  console.error('Install a newer one from https://nodejs.org or by your version manager, then start again.');
  process.exitCode = 1;
  return false;
}
