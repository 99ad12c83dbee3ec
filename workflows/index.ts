// The entry of the workflow bundle: every workflow there is, by the name under which it is started.
export { reconcile } from './reconcile.ts';
export { runTask } from './task.ts';
