// The steps of the smoke test: each does one thing to the instance by the API, and answers what it saw.
import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from './settings.mjs';

const SNOOZE_MIN = 2;
const IDLE_MIN = 1;
const LOOK_MS = 2_000;
/** After the snooze: the timeout, the grace, the looks in between, and what AWS takes for the stop itself. */
const IDLE_STOP_MS = 30 * 60_000;
/** GPU hosts may take as long to stop. */
const SETTLES_MS = 15 * 60_000;

const member = ({ api, name, signal }) => api.ask('GET', `/api/v1/members/${name}`, undefined, { signal });

async function register({ api, name, body, seen, signal, line, say }) {
  const { status } = await api.call('GET', `/api/v1/members/${name}`, undefined, { signal });
  if (status === 200) {
    throw new Refusal(
      `There is a member ${name} already. If no smoke test of it runs: curl -X DELETE '${api.url}/api/v1/members/${name}?stop=true'`,
    );
  }
  const made = await api.ask(
    'POST',
    '/api/v1/members',
    {
      ...body,
      cloud_idle_timeout_min: IDLE_MIN,
      ready_steps: [{ name: 'smoke', kind: 'exec', command: 'uname -n' }],
    },
    { signal },
  );
  seen.registered = true;
  seen.before = made.state ?? 'not seen';
  seen.state = made.state;
  for (const warning of made.warnings) line(`  ${warning}`);
  if (made.state === null) throw new Refusal('The worker did not see the instance: look at the region and its rights.');
  if (['pending', 'stopping'].includes(made.state)) await settled(seen, { api, name, signal, say });
  return `${name}, ${made.instance_type ?? 'type not seen'}, ${seen.before}`;
}

async function settled(seen, { api, name, signal, say }) {
  const giveUpAt = Date.now() + SETTLES_MS;
  while (['pending', 'stopping'].includes(seen.state)) {
    if (Date.now() > giveUpAt) throw new Refusal(`It stays ${seen.state}.`);
    say(`it is ${seen.state}`);
    await sleep(LOOK_MS, undefined, { signal });
    seen.state = (await member({ api, name, signal })).state;
  }
}

async function stop({ api, name, seen, signal, say }) {
  const { result } = await api.task('POST', `/api/v1/members/${name}/stop`, undefined, { signal, say });
  seen.state = 'stopped';
  return result.message;
}

async function command({ api, name, seen, signal, say }) {
  const { result } = await run({ api, name, signal, say }, 'echo "smoke $((6 * 7)) on $(uname -sr)"');
  expectThat(result.exit_code === 0 && result.stdout.startsWith('smoke 42 on '), 'prints "smoke 42"', result);
  const { state, host, host_key_source: source } = await member({ api, name, signal });
  expectThat(state === 'running', 'the machine runs', { state });
  seen.state = state;
  return `${result.stdout.trim()}, at ${host}, host key by ${source}`;
}

async function output({ api, name, signal, say }) {
  const { result } = await run({ api, name, signal, say }, 'echo out; echo err >&2; exit 3');
  const { exit_code: code, stdout, stderr } = result;
  expectThat(code === 3 && stdout === 'out\n' && stderr === 'err\n', 'out, err and exit code 3', result);
  return 'both streams apart, and exit code 3';
}

const run = ({ api, name, signal, say }, text) =>
  api.task('POST', `/api/v1/members/${name}/commands`, { command: text, timeout_s: 60 }, { signal, say });

async function provision({ api, name, signal, say }) {
  await api.task('POST', `/api/v1/members/${name}/provision`, {}, { signal, say });
  const { ready_runs: runs, ready_note: note } = await member({ api, name, signal });
  const ours = runs.find((each) => each.name === 'smoke');
  expectThat(ours?.ok === true && ours.output.trim() !== '', 'the ready step ran', { ready_runs: runs });
  return `${runs.map((each) => `${each.name} ${each.ok ? 'ok' : 'failed'}`).join(', ')}${note ? `; ${note}` : ''}`;
}

async function snooze({ api, name, seen, signal }) {
  const { snoozed_until: until } = await api.ask(
    'POST',
    `/api/v1/members/${name}/snooze`,
    { minutes: SNOOZE_MIN },
    { signal },
  );
  seen.snoozedUntil = until;
  return `not stopped before ${until}`;
}

async function idleStop({ api, name, seen, signal, say }) {
  const giveUpAt = Date.parse(seen.snoozedUntil) + IDLE_STOP_MS;
  for (;;) {
    const { state, stop_at: stopAt } = await member({ api, name, signal });
    seen.state = state;
    if (state === 'stopped') break;
    const [verdict] = await api.ask('GET', `/api/v1/members/${name}/verdicts?limit=1`, undefined, { signal });
    const why = verdict ? `${verdict.verdict}: ${verdict.reasons[0]}` : 'no verdict yet; is the schedule paused?';
    if (Date.now() > giveUpAt) throw new Refusal(`It was not stopped: ${why}; ${verdict?.reasons.join('; ') ?? ''}`);
    // On a terminal the line is written over; elsewhere it is said when it changes in kind.
    say(`${state}, ${verdict?.verdict ?? why}${stopAt ? ', a stop is in sight' : ''}`);
    await sleep(LOOK_MS, undefined, { signal });
  }
  const tasks = await api.ask('GET', '/api/v1/tasks?operation=stop_instance&limit=50', undefined, { signal });
  const ours = tasks.find((task) => task.resource === name && task.requested_by === 'policy/idle');
  expectThat(ours !== undefined, 'it was stopped by policy/idle', {
    tasks: tasks.map(({ requested_by }) => requested_by),
  });
  expectThat(ours.created_at * 1000 >= Date.parse(seen.snoozedUntil), 'not while it was snoozed', ours);
  const events = await api.ask('GET', `/api/v1/members/${name}/events`, undefined, { signal });
  const warning = events.find(({ kind }) => kind === 'stop_warning');
  expectThat(warning !== undefined, 'it was warned about', { kinds: events.map(({ kind }) => kind) });
  return `warned at ${clock(Date.parse(warning.at))}, stopped by policy/idle at ${clock(ours.created_at * 1000)}`;
}

async function remove({ api, name, seen, signal, say }) {
  await api.task('DELETE', `/api/v1/members/${name}?stop=false`, undefined, { signal, say });
  const { status } = await api.call('GET', `/api/v1/members/${name}`, undefined, { signal });
  expectThat(status === 404, 'the member is gone', { status });
  seen.registered = false;
  return 'the member is gone; its machine was not touched again';
}

function expectThat(holds, what, seen) {
  if (!holds) throw new Refusal(`Expected that ${what}, and saw ${JSON.stringify(seen).slice(0, 400)}`);
}

const clock = (ms) => new Date(ms).toISOString().slice(11, 19);

export const STEPS = [
  { name: 'register', about: 'as the member smoke-INSTANCE; refuses if there is one', run: register },
  { name: 'stop', about: 'by a task, until EC2 says stopped', run: stop },
  { name: 'command', about: 'starts it by a command, whatever its new address is', run: command },
  { name: 'output', about: 'both streams and the exit code of a second command', run: output },
  { name: 'provision', about: 'runs its one ready step again', run: provision },
  { name: 'snooze', about: `holds the idle stop off for ${SNOOZE_MIN} minutes`, run: snooze },
  { name: 'idle stop', about: `watched: after ${IDLE_MIN} minute without use, and the grace`, run: idleStop },
  { name: 'remove', about: 'the member; the instance stays as it is', run: remove },
];
