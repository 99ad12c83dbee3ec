// What everything is compared with: the smallest workflow with one activity.
import { proxyActivities } from '@temporalio/workflow';

export type BareActivities = { bareActivity(): Promise<string> };

/** Calls one activity. */
export async function bareWorkflow(): Promise<string> {
  const { bareActivity } = proxyActivities<BareActivities>({ startToCloseTimeout: '1m' });
  return bareActivity();
}
