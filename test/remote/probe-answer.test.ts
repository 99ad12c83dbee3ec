// Reading a probe's answer: only what stands between its marks, only what makes sense, and never with a throw.
import fc from 'fast-check';
import type { ProbeRequest } from '../../activities/remote/probe.ts';
import { parseProbe, probeCommand } from '../../activities/remote/probe.ts';
import { DEFAULT_IDLE_POLICY } from '../../domain/idle-policy.ts';
import { evidenceOf } from '../../domain/use.ts';

import { PROBE_SCRIPT } from './probed-machine.ts';

const AT = '2030-01-01T00:00:00.000Z';
const NOTHING: ProbeRequest = { processNames: [], custom: null };
const base64 = (text: string) => Buffer.from(text).toString('base64');
const parsed = (text: string, request = NOTHING) => parseProbe(text, { request, at: AT });

const LINES = [
  'boot 6177f32e-ed15-41f8-8295-ad91d10acd25',
  'cpu_before cpu  100 0 100 800 0 0 0 0 0 0',
  'uptime_before 50.00',
  'net_before 1000',
  'cpu_after cpu  101 0 101 898 0 0 0 0 0 0',
  'uptime_after 51.00',
  'net_after 2000',
  'cores 8',
  'runs 0',
  'heartbeat none',
  'logins 0',
  'gpus_exit 0',
  `gpus ${base64('0, 0, 3, 15360\n')}`,
  'apps_exit 0',
  'apps ',
];
const answer = (lines = LINES) => ['fermata 1', ...lines, 'end', ''].join('\n');
const unknowns = (text: string) => evidenceOf(parsed(text), DEFAULT_IDLE_POLICY).unknown;

test('a whole answer is read as it is', () => {
  expect(parsed(answer())).toEqual({
    ...{ at: AT, complete: true, cpuPercent: 2, cpuCores: 8, networkBytesPerSecond: 1000, logins: 0, uptimeS: 51 },
    gpu: {
      kind: 'gpus',
      gpus: [{ index: 0, utilizationPercent: 0, memoryUsedMb: 3, memoryTotalMb: 15360 }],
      apps: [],
    },
    ...{ jobHeartbeatAgeS: null, runsInFlight: 0, processes: [], custom: null, customSays: '' },
    bootId: '6177f32e-ed15-41f8-8295-ad91d10acd25',
  });
  expect(unknowns(answer())).toEqual([]);
});

test('what a login prints around it, and even the same words, do not count', () => {
  const noisy = `logins 7\nend of life is near\nend\n${answer()}logins 9\nfermata 1\nruns 9\n`;
  expect(parsed(noisy)).toEqual(parsed(answer()));
});

test('any line that is missing makes the look unknown, and so does a missing end', () => {
  // The count of cores and a heartbeat may be missing on a machine that is read well.
  const needed = LINES.filter((line) => !/^(cores|heartbeat|boot) /.test(line));
  for (const missing of needed) {
    const found = unknowns(answer(LINES.filter((line) => line !== missing)));
    expect([missing, found.length]).toEqual([missing, 1]);
  }
  expect(needed).toHaveLength(12);
  const cut = answer().split('\n').slice(0, -2).join('\n');
  expect(parsed(cut)).toEqual({ ...parsed(answer()), complete: false });
  expect(unknowns(cut)).toEqual(['the answer of the probe broke off']);
});

test.each([
  ['cpu_after cpu  100 0 100 800 0 0 0 0 0 0', 'CPU cannot be read'],
  ['cpu_after cpu  x 0 100 800', 'CPU cannot be read'],
  ['cpu_after cpu', 'CPU cannot be read'],
  ['net_after 999', 'network cannot be read'],
  ['net_after -1', 'network cannot be read'],
  ['uptime_after 50.00', 'network cannot be read'],
  ['logins many', 'logins cannot be read'],
  ['runs', 'commands in flight cannot be read'],
  ['gpus_exit 124', 'GPUs cannot be read: nvidia-smi does not answer in time'],
  ['gpus_exit 137', 'GPUs cannot be read: nvidia-smi does not answer in time'],
  ['gpus %%%', 'GPUs cannot be read: nvidia-smi does not answer in time'],
  ['apps_exit 9', 'GPUs cannot be read: nvidia-smi ended with 9: '],
])('%s: %s', (line, why) => {
  const key = line.split(' ')[0];
  const changed = LINES.map((one) => (one.startsWith(`${key} `) ? line : one));
  expect(changed).not.toEqual(LINES);
  expect(unknowns(answer(changed))).toEqual([why]);
});

test('rubbish is never taken for idleness, and nothing throws', () => {
  const request: ProbeRequest = { processNames: ['trainer', ''], custom: { command: 'true', timeoutS: 1 } };
  const mangled = fc
    .tuple(fc.nat(answer().length), fc.nat(40), fc.string({ unit: 'binary', maxLength: 40 }))
    .map(([from, cut, put]) => answer().slice(0, from) + put + answer().slice(from + cut));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), mangled), (text) => {
      const values = parsed(text, request);
      expect(JSON.parse(JSON.stringify(values))).toEqual(values);
      // The answer holds neither the process nor the command that were asked for.
      const policy = { ...DEFAULT_IDLE_POLICY, processNames: ['trainer'] };
      expect(evidenceOf(values, policy).unknown.length).toBeGreaterThanOrEqual(2);
    }),
    { numRuns: 1000 },
  );
});

test('nothing that a caller gives stands in the command line', () => {
  const request = { processNames: ["it's", 'a$b'], custom: { command: "echo 'busy' $(id)", timeoutS: 20 } };
  const { command, stdin, limitMs } = probeCommand(PROBE_SCRIPT, request);
  const plain = probeCommand(PROBE_SCRIPT, NOTHING);
  expect(command).toBe(plain.command.replace(' fermata 8 ', ' fermata 24 '));
  expect([plain.limitMs, limitMs]).toEqual([9_000, 25_000]);
  const lines = Buffer.from(stdin).toString().split('\n');
  expect(lines.slice(-2)).toEqual(['', '']);
  expect(
    lines
      .slice(0, -2)
      .map((line) => line.split(' '))
      .map(([key, value]) => [key, Buffer.from(value ?? '', 'base64').toString()]),
  ).toEqual([
    ['processes', "it's\na$b\n"],
    ['custom', "echo 'busy' $(id)"],
    ['custom_timeout_s', '20'],
  ]);
});
