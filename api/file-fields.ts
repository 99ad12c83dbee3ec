// What the queries of the routes of files may say, with the rule of each.
import { z } from 'zod';
import { fileMode } from '../operations/files.ts';

const start = z
  .enum(['if_stopped', 'never'])
  .meta({ description: 'Whether a stopped machine is started for it; otherwise the task fails' });
const mode = fileMode.optional().meta({ description: 'Permissions of the file, 0644 unless it is given' });
const task = z
  .uuid()
  .optional()
  .meta({ description: 'An earlier download: what it got is answered, nothing is got anew' });

export const uploadQuery = z.object({ start: start.default('if_stopped'), mode });
/** Reading never starts a machine unless it is asked to. */
export const downloadQuery = z.object({ start: start.default('never'), task });
