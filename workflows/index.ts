// The entry of the workflow bundle: every workflow there is, by the name under which it is started.
export { runJob } from './job.ts';
export { keepLeases } from './leases.ts';
export { inspectInstance, tryMember } from './inspect.ts';
export { readyMember } from './member.ts';
export { reconcile } from './reconcile.ts';
export { sweepIdle } from './sweep-idle.ts';
export { runTask } from './task.ts';
