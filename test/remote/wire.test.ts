// What is sent to a machine is refused when it makes no sense, and so is what comes back.
import { lookCommand, parseCleaned, parseReport, startCommand, stopCommand } from '../../activities/remote/exec.ts';
import type { RunSpec } from '../../activities/remote/exec.ts';
import { getCommand, parseGet, parsePut, putCommand } from '../../activities/remote/file.ts';
import { Failure } from '../../domain/failures.ts';
import { FILE_SCRIPT, SCRIPTS, sha256, specOf } from './machine.ts';

const BASE = 'boot_id b\nstarted 1700000000\nout_bytes 5\nerr_bytes 0\nstdout aGk=\nstderr \n';
const FINISHED = `${BASE}state finished\nexit 0\nended 1700000001\n`;
const framed = (lines: string) => `fermata 1\n${lines}end\n`;
const typeOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return error instanceof Failure ? error.type : error;
  }
  return 'nothing was thrown';
};

test('a whole report is read', () => {
  const begun = {
    bootId: 'b',
    launched: false,
    startedAt: '2023-11-14T22:13:20.000Z',
    stopped: false,
    stdout: 'hi',
    stderr: '',
    outBytes: 5,
    errBytes: 0,
    truncated: true,
  };
  const finished = { ...begun, state: 'finished', exitCode: 0, endedAt: '2023-11-14T22:13:21.000Z', timedOut: null };
  expect(parseReport(framed(FINISHED))).toEqual(finished);
  expect(parseReport(`Last login: today\r\n\n${framed(FINISHED)}\nbye\n`)).toEqual(finished);
  expect(parseReport(framed(`${FINISHED}timed_out silence\nstopped yes\n`))).toEqual({
    ...finished,
    timedOut: 'silence',
    stopped: true,
  });
  expect(parseReport(framed(`${BASE}state unknown\ncommand gone\n`))).toEqual({
    ...begun,
    state: 'unknown',
    commandAlive: false,
  });
  expect(parseReport(framed('state absent\nboot_id b\n'))).toEqual({ state: 'absent', bootId: 'b', launched: false });
  expect(parseReport(framed('state setup_failed\nwhy w6k=\n'))).toEqual({ state: 'setup_failed', why: 'é' });
  expect(parseCleaned(framed('state cleaned\n'))).toEqual({ state: 'cleaned', removed: [] });
  expect(parseCleaned(framed('state cleaned\nremoved a\nremoved b\n'))).toEqual({
    state: 'cleaned',
    removed: ['a', 'b'],
  });
});

test.each([
  [''],
  ['bash: fermata: command not found\n'],
  [FINISHED],
  [`fermata 1\n${FINISHED}`],
  [`fermata 1\n${FINISHED}end`],
  [`xfermata 1\n${FINISHED}end\n`],
  [framed('')],
  [framed('state finished\n')],
  [framed('state maybe\nboot_id b\n')],
  [framed(`${FINISHED}state finished\n`)],
  [framed(`${FINISHED}what is this?\n\n`)],
  [framed(FINISHED.replace('exit 0', 'exit -1'))],
  [framed(FINISHED.replace('exit 0', 'exit 0x1'))],
  [framed(FINISHED.replace('exit 0\n', ''))],
  [framed(FINISHED.replace('1700000000', '170000000000'))],
  [framed(FINISHED.replace('aGk=', 'aGk'))],
  [framed(FINISHED.replace('aGk=', 'a Gk='))],
  [framed(`${FINISHED}timed_out never\n`)],
  [framed(`${FINISHED}stopped no\n`)],
  [framed(`${BASE}state unknown\n`)],
])('an answer that is no whole report is garbled: %j', (text) => {
  expect(typeOf(() => parseReport(text))).toBe('RemoteGarbled');
  expect(typeOf(() => parsePut(text))).toBe('RemoteGarbled');
  expect(typeOf(() => parseCleaned(text))).toBe('RemoteGarbled');
});

test('the report of a get is found as soon as it is there, and the bytes after it are left alone', () => {
  const sum = sha256('');
  const header = `hello\nfermata 1\nstate file\nsize 4\nmodified 1700000000\nsha256 ${sum}\nend\n`;
  const answer = Buffer.concat([Buffer.from(header), Buffer.from([0, 255, 10, 13])]);
  for (let length = 0; length < header.length; length += 1) {
    expect(parseGet(answer.subarray(0, length))).toBeUndefined();
  }
  const report = { state: 'file', sizeBytes: 4, modifiedAt: '2023-11-14T22:13:20.000Z', sha256: sum };
  expect(parseGet(answer)).toEqual({ report, bodyStart: header.length });
  expect(typeOf(() => parseGet(Buffer.from('fermata 1\nstate done\nend\n')))).toBe('RemoteGarbled');
});

test('nothing that a caller made is in the command, only the script', () => {
  const secret = 'hunter2';
  const { command, stdin } = startCommand(SCRIPTS, specOf({ id: 'x', command: 'echo 1234', secretEnv: { A: secret } }));
  expect(command).toBe(
    lookCommand(SCRIPTS, { id: 'y', digest: sha256('y'), headBytes: 0 }).command.replace(/look$/, 'start'),
  );
  expect(command).toMatch(/ fermata start$/);
  expect(Buffer.from(stdin).toString()).toContain(Buffer.from(`A=${secret}`).toString('base64'));
  // One argument of a program is at most 128 kB.
  expect(command.length).toBeLessThan(30_000);
});

test.each<[string, Partial<RunSpec>]>([
  ['an id with a slash', { id: 'a/b' }],
  ['an id with a dot', { id: 'a.b' }],
  ['an id that begins with a dash', { id: '-a' }],
  ['a long id', { id: 'a'.repeat(64) }],
  ['a short digest', { digest: 'abc' }],
  ['no command', { command: '' }],
  ['a long command', { command: 'é'.repeat(4_097) }],
  ['a NUL', { command: 'a\0b' }],
  ['half a character', { command: '\ud800' }],
  ['a relative folder', { cwd: 'work' }],
  ['a name that is none', { env: { 'A-B': '1' } }],
  ['a name with a line break', { secretEnv: { 'A\nB': '1' } }],
  ['a NUL in a value', { env: { A: '\0' } }],
  ['a negative time', { timeoutSeconds: -1 }],
  ['half a second', { silenceSeconds: 0.5 }],
  ['no number', { capBytes: Number.NaN }],
])('%s is not sent', (_, wrong) => {
  const spec = { ...specOf({ id: 'run', command: 'true' }), ...wrong };
  expect(typeOf(() => startCommand(SCRIPTS, spec))).toBe('InvalidRequest');
});

test('nor are a stop of nothing, permissions beyond 0777, or a piece before the beginning', () => {
  const place = { root: '', path: 'x' };
  const file = { ...place, id: 'x', sizeBytes: 1, sha256: sha256('x') };
  expect(typeOf(() => stopCommand(SCRIPTS, { id: '', digest: sha256('') }))).toBe('InvalidRequest');
  expect(typeOf(() => putCommand(FILE_SCRIPT, { ...file, offset: 0, mode: 0o4755 }))).toBe('InvalidRequest');
  expect(typeOf(() => getCommand(FILE_SCRIPT, { ...place, offset: -1, maxBytes: 1 }))).toBe('InvalidRequest');
  expect(typeOf(() => getCommand(FILE_SCRIPT, { ...place, path: '\0', offset: 0, maxBytes: 1 }))).toBe(
    'InvalidRequest',
  );
});
