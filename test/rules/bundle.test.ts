// What the workflow bundle is made of: our workflows and rules and Temporal's own code, and nothing that could do anything.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assetPath, distRoot, workflowBundlePath } from '../../config/paths.ts';

const PACKAGES = ['@temporalio/common', '@temporalio/workflow', 'long', 'ms', 'nexus-rpc'];
const FOREIGN = ['zod', '@aws-sdk', 'ssh2', 'pg', 'pino', 'express', 'drizzle-orm', '@temporalio/client'];
/** Measured 1.82 MB, two thirds of it the source map; zod alone would add more than the rest of the room. */
const LARGEST_BYTES = 2_200_000;

/** The files that a bundle was made from, by its inline source map. */
function sourcesOf(bundle: string): string[] {
  const [, encoded = ''] = /sourceMappingURL=data:application\/json;[^,]*base64,([\w+/=]+)/.exec(bundle) ?? [];
  const map: unknown = JSON.parse(Buffer.from(encoded, 'base64').toString());
  const sources: unknown = typeof map === 'object' && map !== null ? Reflect.get(map, 'sources') : undefined;
  if (!Array.isArray(sources)) throw new Error('the bundle has no source map');
  return sources.map(String);
}

/** The packages that a bundle has code of. */
function packagesOf(bundle: string): string[] {
  const names = sourcesOf(bundle).map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  return [...new Set(names)].filter((name) => name !== undefined).sort();
}

describe('the bundle that the worker runs', () => {
  const bundle = readFileSync(workflowBundlePath, 'utf8');

  test('has code of Temporal alone besides ours', () => {
    expect(packagesOf(bundle)).toEqual(PACKAGES);
  });

  test('has none of our rooms but the rules and the workflows', () => {
    const root = assetPath('/');
    const ours = sourcesOf(bundle).filter((path) => path.startsWith(root) && !path.includes('/node_modules/'));
    const rooms = ours.map((path) => path.slice(root.length)).filter((path) => !path.startsWith('dist/'));
    expect(rooms).toContain('workflows/task.ts');
    expect(rooms.filter((path) => !/^(domain|workflows)\//.test(path))).toEqual([]);
  });

  test.each(FOREIGN)('does not name a module of %s', (name) => {
    const paths = bundle.match(/node_modules\/(?:@[\w.-]+\/)?[\w.-]+/g) ?? [];
    expect(paths.length).toBeGreaterThan(0);
    expect(paths.filter((path) => path.startsWith(`node_modules/${name}`) && path !== 'node_modules/ms')).toEqual([]);
  });

  test('is no larger than it was, with its source map', () => {
    expect(Buffer.byteLength(bundle)).toBeLessThan(LARGEST_BYTES);
  });
});

test('a workflow that took zod in would be found, by its modules and by its size', () => {
  const folder = mkdtempSync(join(distRoot, 'bundle-probe-'));
  try {
    const entry = join(folder, 'index.js');
    const text = "export { runTask } from '../workflows/index.js';\nexport { z } from 'zod';\n";
    writeFileSync(entry, text);
    const build =
      "import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';" +
      "import { writeFileSync } from 'node:fs';" +
      'const [workflowsPath, file] = process.argv.slice(1);' +
      "const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });" +
      'writeFileSync(file, code);';
    const file = join(folder, 'bundle.txt');
    execFileSync(process.execPath, ['--input-type=module', '-e', build, entry, file], { cwd: assetPath() });
    const bundle = readFileSync(file, 'utf8');
    expect(packagesOf(bundle)).toEqual([...PACKAGES, 'zod'].sort());
    expect(bundle).toContain('node_modules/zod');
    expect(Buffer.byteLength(bundle)).toBeGreaterThan(LARGEST_BYTES);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);
