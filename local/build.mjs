// Builds dist/: TypeScript, the files that tsc does not copy, the workflow bundle; nothing when the sources are the same.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { aloneInClone } from './clone-lock.mjs';
import { runCaptured } from './command.mjs';
import { root } from './settings.mjs';

const dist = join(root, 'dist');
const stampFile = join(dist, '.fermata-stamp');
const KEPT_ASIDE = ['.fermata-stamp', 'tsconfig.tsbuildinfo', 'workflow-bundle.js'];
const ROOMS = [
  ...['activities', 'api', 'bench', 'clients', 'config', 'domain', 'local'],
  ...['operations', 'service', 'store', 'test', 'worker', 'workflows'],
];

/** Answers the complaints, an empty text when there are none. What could be built is there in both cases. */
export async function build(begin = () => undefined) {
  const sources = listSources();
  const stamp = hash(sources);
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return '';
  begin();
  rmSync(stampFile, { force: true });
  const assets = listAssets(sources);
  removeOrphans(sources, assets);
  const types = await node('node_modules/typescript/bin/tsc', ['--project', '.', '--pretty', 'false']);
  copyAssets(assets);
  const bundle = sources.includes('worker/bundle.ts') ? await node('dist/worker/bundle.js', []) : '';
  const complaints = [types, bundle].filter((text) => text !== '').join('\n');
  if (complaints === '') writeFileSync(stampFile, stamp);
  return complaints;
}

async function node(script, args) {
  const { ended, output } = await runCaptured(process.execPath, [join(root, script), ...args], { cwd: root });
  if (ended === 0) return '';
  return output || `${script} ended with ${ended}`;
}

/** Paths relative to the root, with forward slashes: every file of every room, and what steers the compiler. */
function listSources() {
  const files = ROOMS.flatMap(walk);
  const atRoot = readdirSync(root).filter((name) => name.endsWith('.ts'));
  return [...files, ...atRoot, 'package-lock.json', 'package.json', 'tsconfig.json'].sort();
}

function walk(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return [];
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return walk(path);
    return entry.isFile() ? [path] : [];
  });
}

function hash(sources) {
  const sum = createHash('sha256').update(process.version.split('.')[0]);
  for (const path of sources) sum.update(`\0${path}\0`).update(readFileSync(join(root, path)));
  return sum.digest('hex');
}

/**
 * What tsc leaves behind: texts and scripts of the rooms. Tests and what belongs to Go run from where they are; plain
 * JavaScript is imported by TypeScript where its types lie beside it.
 */
function listAssets(sources) {
  const all = new Set(sources);
  return sources.filter((path) => {
    if (!path.includes('/') || path.startsWith('test/') || path.startsWith('local/temporal/')) return false;
    if (path.endsWith('.mjs')) return all.has(path.replace(/\.mjs$/, '.d.mts'));
    return !/\.m?ts$/.test(path);
  });
}

function copyAssets(assets) {
  for (const path of assets) {
    mkdirSync(dirname(join(dist, path)), { recursive: true });
    copyFileSync(join(root, path), join(dist, path));
  }
}

/** What is left of a removed source would still be found, a migration for example, and be run. */
function removeOrphans(sources, assets) {
  const compiled = sources.filter((path) => path.endsWith('.ts')).map((path) => path.replace(/\.ts$/, '.js'));
  const expected = new Set([...KEPT_ASIDE, ...assets, ...compiled, ...compiled.map((path) => `${path}.map`)]);
  for (const path of walk('dist').map((path) => path.slice('dist/'.length))) {
    if (!expected.has(path)) rmSync(join(dist, path), { force: true });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const complaints = await aloneInClone(console.log, () => build());
  if (complaints !== '') {
    console.error(complaints);
    process.exitCode = 1;
  }
}
