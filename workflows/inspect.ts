// Short looks that the API asks a worker for, because only workers hold credentials and keys.
import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { InstanceLook, MemberTry } from '../domain/activity.ts';
import type { CloudBlock } from '../domain/member.ts';
import { inspecting } from './options.ts';

/** What the cloud shows of an instance that is to become a member, or why nothing could be seen. */
export async function inspectInstance(input: { readonly cloud: CloudBlock }): Promise<InstanceLook> {
  return proxyActivities<Activities>(inspecting).inspectInstance(input);
}

/** Logs in to a member once and makes its work folder; says why when it cannot. */
export async function tryMember(input: { readonly memberId: string }): Promise<MemberTry> {
  return proxyActivities<Activities>(inspecting).tryMember(input);
}
