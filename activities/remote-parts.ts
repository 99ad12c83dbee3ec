// What the activities that work on machines are given.
import type { JobScripts } from './remote/job.ts';
import type { MemberParts } from './member-access.ts';

/** The texts of the scripts that are sent to machines. */
export interface Scripts {
  readonly exec: string;
  readonly runner: string;
  readonly file: string;
  readonly probe: string;
  readonly ready: string;
  readonly guard: string;
  readonly jobs: JobScripts;
}

export interface RemoteParts extends MemberParts {
  readonly scripts: Scripts;
}
