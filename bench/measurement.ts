// What a measurement is and what it finds, and the table at the end.

/** One line of the table. */
export interface Finding {
  readonly what: string;
  /** Empty for a number that is only told. */
  readonly bound: string;
  readonly measured: string;
  /** Undefined where there is no bound. */
  readonly holds?: boolean;
}

export interface BenchOptions {
  readonly seed: number | undefined;
  /** Storms: how many kills, cancels or repetitions. */
  readonly rounds: number | undefined;
  /** How many tasks are to await a decision. */
  readonly waiting: number;
  /** How long making them may take. */
  readonly minutes: number;
  /** A line of progress. */
  say(line: string): void;
}

export interface Measurement {
  readonly name: string;
  readonly about: string;
  run(options: BenchOptions): Promise<readonly Finding[]>;
}

/** Runs each and says at once what it found; one that fails is a finding that does not hold. */
export async function runAll(measurements: readonly Measurement[], options: BenchOptions): Promise<Finding[]> {
  const all: Finding[] = [];
  for (const { name, about, run } of measurements) {
    const began = performance.now();
    const say = (line: string) => options.say(`[${name}] ${line}`);
    say(about);
    const found = await run({ ...options, say }).catch((error: unknown) => [failure(name, error)]);
    for (const finding of found) say(`${finding.what}: ${finding.measured}${worded(finding)}`);
    say(`took ${Math.round((performance.now() - began) / 1000)} s`);
    all.push(...found);
  }
  return all;
}

function failure(name: string, error: unknown): Finding {
  const measured = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { what: name, bound: 'runs', measured, holds: false };
}

const worded = ({ bound, holds }: Finding) =>
  holds === undefined ? '' : `, ${holds ? 'within' : 'OUT OF'} bound ${bound}`;

/** The table. A long text is cut; it was said in full before. */
export function tableOf(findings: readonly Finding[]): string {
  const rows = [
    ['what', 'bound', 'measured', 'holds'],
    ...findings.map(({ what, bound, measured, holds }) => [
      what,
      bound === '' ? '-' : bound,
      measured.split('\n')[0]?.slice(0, 100) ?? '',
      holds === undefined ? '-' : holds ? 'yes' : 'NO',
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
  return lines.map((line) => line.trimEnd()).join('\n');
}
