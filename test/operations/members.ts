// Members as a plan sees them: one that is no cloud machine, and the same with an instance.
import type { MemberSettings } from '../../domain/member.ts';
import type { MemberSeen } from '../../operations/operation.ts';

const settings: MemberSettings = {
  name: 'gpu-1',
  host: 'gpu-1.example.org',
  port: 22,
  username: 'ubuntu',
  auth: { kind: 'key', path: '/keys/one' },
  workFolder: '/srv',
  gitAccess: null,
  gitRepos: [],
  llmProvider: 'none',
  category: null,
  tags: [],
  guarded: false,
  address: 'public',
  jump: null,
  hostKeyPolicy: 'console',
  hostKey: null,
  readySteps: [],
  jobSlots: 1,
  cloud: null,
};
export const member: MemberSeen = { id: 'm-1', target: 'member/m-1', settings };
const cloud = { provider: 'aws', instanceId: 'i-0123abcd', region: 'us-east-1', profile: null } as const;
export const inCloud: MemberSeen = {
  ...member,
  settings: {
    ...settings,
    cloud: { ...cloud, idleTimeoutMin: 30, activityCommand: null, maxRunMin: null, onUnknown: 'hold', guardMin: null },
  },
};
