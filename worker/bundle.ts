// Builds the workflow bundle, once, at build time; a production start without it fails instead of bundling by itself.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { distRoot, workflowBundlePath } from '../config/paths.ts';

const { code } = await bundleWorkflowCode({
  workflowsPath: join(distRoot, 'workflows', 'index.js'),
  logger: new DefaultLogger('WARN'),
});
writeFileSync(workflowBundlePath, code);
