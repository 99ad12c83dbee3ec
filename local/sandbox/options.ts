// The command line of the sandbox, with a sentence for whatever is wrong with it.
import { parseArgs } from 'node:util';

export interface Options {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly stateMs: number;
  readonly checkMs: number;
  readonly region: string;
}

export class BadOption extends Error {}

export const help = `The sandbox cloud: a small EC2 endpoint on this machine that the AWS SDK can talk to.

  node dist/local/sandbox/main.js --port N --data-dir DIR [options]

  --port N        port to listen on; 0 takes a free one and prints it
  --data-dir DIR  where it keeps state.json and effects.jsonl (made if missing)
  --host HOST     address to listen on (127.0.0.1)
  --state-ms N    how long pending, stopping and shutting-down last (400)
  --check-ms N    how long status checks are initializing (600)
  --region NAME   region of the instances it starts with (us-east-1)
  --help          this text

EC2 is at http://HOST:PORT/, with any credentials: AWS_ENDPOINT_URL_EC2=http://HOST:PORT
Faults, forced checks and lost machines are asked for under http://HOST:PORT/_sandbox/
DIR/effects.jsonl has one line for every call that changed something or was refused.
`;

const known = {
  port: { type: 'string' },
  'data-dir': { type: 'string' },
  host: { type: 'string', default: '127.0.0.1' },
  'state-ms': { type: 'string', default: '400' },
  'check-ms': { type: 'string', default: '600' },
  region: { type: 'string', default: 'us-east-1' },
  help: { type: 'boolean', default: false },
} as const;

export function readOptions(args: readonly string[]): Options | 'help' {
  const values = parsed(args);
  if (values.help) return 'help';
  if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(values.region)) {
    throw new BadOption(`--region must look like us-east-1, not "${values.region}"`);
  }
  return {
    host: values.host,
    port: whole('port', values.port, 65_535),
    dataDir: given('data-dir', values['data-dir']),
    stateMs: whole('state-ms', values['state-ms'], 3_600_000),
    checkMs: whole('check-ms', values['check-ms'], 3_600_000),
    region: values.region,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: known, strict: true, allowPositionals: false }).values;
  } catch (problem) {
    throw new BadOption(problem instanceof Error ? problem.message : String(problem));
  }
}

function given(name: string, value: string | undefined): string {
  if (!value) throw new BadOption(`--${name} is missing`);
  return value;
}

function whole(name: string, value: string | undefined, most: number): number {
  const number = /^\d{1,9}$/.test(given(name, value)) ? Number(value) : Number.NaN;
  if (!(number <= most)) throw new BadOption(`--${name} must be a whole number from 0 to ${most}, not "${value}"`);
  return number;
}
