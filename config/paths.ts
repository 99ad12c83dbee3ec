// Where the package's own files are: the only place that knows whether it runs from the sources or from `dist`.
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const compiled = basename(here) === 'dist';

/** The folder that holds package.json. */
export const packageRoot = compiled ? dirname(here) : here;

/** The compiled program, whichever way this process runs. */
export const distRoot = join(packageRoot, 'dist');

/** A file of the package that is not code, such as a migration or a page. */
export function assetPath(...parts: string[]): string {
  return join(packageRoot, ...parts);
}

/** The prebuilt code that workflows run from. */
export const workflowBundlePath = join(distRoot, 'workflow-bundle.js');
