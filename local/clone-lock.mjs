// Keeps two starts from one clone from installing or building into each other.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { withLock } from './lock.mjs';
import { cacheFolder, root } from './settings.mjs';

export function aloneInClone(say, work) {
  const clone = createHash('sha256').update(root).digest('hex').slice(0, 16);
  const waiting = (holder) => say(`process ${holder.child?.pid ?? holder.pid} prepares the same clone: waiting for it`);
  return withLock(join(cacheFolder(), 'clones', clone), { root }, waiting, work);
}
