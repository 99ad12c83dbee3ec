// The types of process-info.mjs, which is plain JavaScript because preparation needs it before anything is built.
export interface ProcessInfo {
  readonly started: string;
  readonly command: string;
}

export function describeProcess(pid: number): ProcessInfo | undefined;
