// The command line of the sandbox, with a sentence for whatever is wrong with it.
import { parseArgs } from 'node:util';

export interface Options {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly stateMs: number;
  readonly checkMs: number;
  readonly region: string;
  /** Undefined: its instances are no SSH hosts. */
  readonly sshPort: number | undefined;
  readonly bootMs: number;
  readonly maxInstances: number;
}

export class BadOption extends Error {}

export const help = `The sandbox cloud: a small EC2 endpoint on this machine that the AWS SDK can talk to.

  node dist/local/sandbox/main.js --port N --data-dir DIR [options]

  --port N           port to listen on; 0 takes a free one and prints it
  --data-dir DIR     where it keeps state.json, effects.jsonl, hosts and keys (made if missing)
  --host HOST        address to listen on (127.0.0.1)
  --state-ms N       how long pending, stopping and shutting-down last (400)
  --check-ms N       how long status checks are initializing (600)
  --boot-ms N        how long a running instance takes until it listens for SSH (150)
  --ssh-port N       port of every instance at its own loopback address (2222)
  --no-ssh           instances are no SSH hosts
  --max-instances N  how many instances may live, at most 20000 (1000)
  --region NAME      region of the instances it starts with (us-east-1)
  --help             this text

EC2 is at http://HOST:PORT/, with any credentials: AWS_ENDPOINT_URL_EC2=http://HOST:PORT
Running instances are SSH hosts for ec2-user with DIR/ssh/id_ed25519; commands run as the user who started the sandbox.
Faults, forced checks and lost machines are asked for under http://HOST:PORT/_sandbox/
DIR/effects.jsonl has one line for every call that changed something or was refused.
`;

const known = {
  port: { type: 'string' },
  'data-dir': { type: 'string' },
  host: { type: 'string', default: '127.0.0.1' },
  'state-ms': { type: 'string', default: '400' },
  'check-ms': { type: 'string', default: '600' },
  'boot-ms': { type: 'string', default: '150' },
  'ssh-port': { type: 'string', default: '2222' },
  'no-ssh': { type: 'boolean', default: false },
  'max-instances': { type: 'string', default: '1000' },
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
    port: whole('port', values.port, 0, 65_535),
    dataDir: given('data-dir', values['data-dir']),
    stateMs: whole('state-ms', values['state-ms'], 0, 3_600_000),
    checkMs: whole('check-ms', values['check-ms'], 0, 3_600_000),
    region: values.region,
    sshPort: values['no-ssh'] ? undefined : whole('ssh-port', values['ssh-port'], 1, 65_535),
    bootMs: whole('boot-ms', values['boot-ms'], 0, 3_600_000),
    maxInstances: whole('max-instances', values['max-instances'], 1, 20_000),
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

function whole(name: string, value: string | undefined, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(given(name, value)) ? Number(value) : Number.NaN;
  if (!(least <= number && number <= most)) {
    throw new BadOption(`--${name} must be a whole number from ${least} to ${most}, not "${value}"`);
  }
  return number;
}
