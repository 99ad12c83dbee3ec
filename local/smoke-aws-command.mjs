// Tries Fermata on one real instance, step by step over its API, and ends with what it left behind and 0 or 1.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createProgress } from './progress.mjs';
import { Refusal, explain, readSettings } from './settings.mjs';
import { smokeApi } from './smoke-api.mjs';
import { STEPS } from './smoke-steps.mjs';

const HELP = `npm run smoke:aws -- INSTANCE [options]

Tries a running Fermata on one instance of yours, from registration to removal. INSTANCE is its id, such as
i-0123456789abcdef0. It is STOPPED and started without asking again: name one that nobody works on.

  --key PATH      the private key that logs in, on the machine of the worker, mode 0600
  --user NAME     who logs in (ec2-user)
  --port N        the port of its SSH (22)
  --region R      where it is (us-east-1)
  --profile NAME  an AWS profile of the worker (its own credentials)
  --private       reach it at its private address
  --tofu          trust the host key that it shows first; for images whose console output names none

Where the sandbox of \`npm start\` runs in the data folder, key, user and port are those of the sandbox unless given.
API_URL says where Fermata answers (http://127.0.0.1:8000); nothing but that is talked to.

What it does, each step with its time:
${STEPS.map(({ name, about }) => `  ${name.padEnd(14)}${about}`).join('\n')}

It takes about ten minutes on AWS, most of it the two minutes of snooze, the minute without use and the grace before
the idle stop. The instance needs a public address (or --private), port 22 open to the worker, and the tag
managed-by=fermata where the worker has the rights of docs/iam-policy.json. A step that waits for a decision says how
to give it. At the end, and also when a step fails or you press Ctrl-C, it says what is left behind and how to be rid
of it. Exit code: 0 when every step passed, else 1.`;

export async function main(args) {
  try {
    const options = read(args);
    if (options === undefined) return console.log(HELP);
    process.exitCode = await smoke(options);
  } catch (error) {
    console.error(error.code?.startsWith('ERR_PARSE_ARGS') ? `${error.message}\n\n${HELP}` : explain(error));
    process.exitCode = 1;
  }
}

function read(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      key: { type: 'string' },
      user: { type: 'string' },
      port: { type: 'string' },
      region: { type: 'string' },
      profile: { type: 'string' },
      private: { type: 'boolean', default: false },
      tofu: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const [instance, ...more] = positionals;
  if (!/^i-[0-9a-f]{8,17}$/.test(instance ?? '') || more.length > 0) {
    throw new Refusal(`Name one instance by its id, such as i-0123456789abcdef0.\n\n${HELP}`);
  }
  const sandbox = values.key === undefined ? sandboxLogin() : undefined;
  const key = values.key ?? sandbox?.key_path;
  if (key === undefined) throw new Refusal('No sandbox runs in the data folder, so --key PATH is needed: see --help.');
  return {
    instance,
    apiUrl: (process.env.API_URL || 'http://127.0.0.1:8000').replace(/\/+$/, ''),
    body: {
      friendly_name: `smoke-${instance}`,
      cloud_provider: 'aws',
      cloud_instance_id: instance,
      username: values.user ?? sandbox?.username ?? 'ec2-user',
      key_path: resolve(key),
      port: Number(values.port ?? sandbox?.port ?? 22),
      work_folder: '/tmp',
      address: values.private ? 'private' : 'public',
      host_key_policy: values.tofu ? 'tofu' : 'console',
      ...(values.region === undefined ? {} : { cloud_region: values.region }),
      ...(values.profile === undefined ? {} : { cloud_profile: values.profile }),
    },
  };
}

function sandboxLogin() {
  try {
    return JSON.parse(readFileSync(join(readSettings().dataDir, 'addresses.json'), 'utf8')).sandbox?.ssh;
  } catch {
    return undefined;
  }
}

async function smoke({ instance, apiUrl, body }) {
  const progress = createProgress();
  const api = smokeApi(apiUrl);
  const name = body.friendly_name;
  const seen = { registered: false, before: undefined, state: undefined };
  const stop = new AbortController();
  const onSignal = () => stop.abort(new Refusal('Ctrl-C: given up here.'));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  let failed = false;
  for (const { name: title, about, run } of STEPS) {
    const step = progress.step(title, about, { quiet: true });
    const context = { api, name, instance, body, seen, signal: stop.signal, say: step.say, line: progress.line };
    try {
      step.done(await run(context));
    } catch (error) {
      step.failed(stop.signal.aborted ? stop.signal.reason.message : explain(error));
      failed = true;
      break;
    }
  }
  progress.line(`\n${leftBehind({ apiUrl, name, instance, seen })}`);
  progress.line(failed ? '\nFAILED: the step marked ✗ says why.' : '\nEvery step passed.');
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  return failed ? 1 : 0;
}

function leftBehind({ apiUrl, name, instance, seen }) {
  if (seen.before === undefined) return 'Left behind: nothing, nothing was registered or changed.';
  const lines = [`  ${instance}: ${seen.state ?? 'not known'}; it was ${seen.before} before`];
  if (seen.state !== seen.before && seen.before === 'running') {
    lines.push(`    aws ec2 start-instances --instance-ids ${instance}`);
  }
  if (seen.registered) {
    lines.push(`  the member ${name}; this removes it and stops its machine:`);
    lines.push(`    curl -X DELETE '${apiUrl}/api/v1/members/${name}?stop=true'`);
  }
  lines.push('  ~/.fermata on the machine (what its commands printed), and tasks and events in Fermata');
  return `Left behind:\n${lines.join('\n')}`;
}
