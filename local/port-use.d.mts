// The types of port-use.mjs, which is plain JavaScript because the port is looked at before anything is built.
export interface PortHolder {
  readonly pid: number;
  readonly command: string;
}

export function isFree(port: number, host?: string): Promise<boolean>;
export function whoHolds(port: number): PortHolder | undefined;
/** The sentence for whoever wanted it. */
export function whyTaken(port: number): string;
