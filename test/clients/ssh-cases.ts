// What holds for commands on every SSH server: output, stdin, ends, time; run against more than one.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../kit/until.ts';
import type { Bench } from './ssh-bench.ts';
import { failureOf, MEGABYTE } from './ssh-bench.ts';

/** Much more than the memory that reading it may cost. */
const BIG_BYTES = 100 * MEGABYTE;
const MEMORY_BYTES = 60 * MEGABYTE;

/** Defines the tests. */
export function commandCases({ open, run }: Bench) {
  const dir = mkdtempSync(join(tmpdir(), 'fermata-ssh-cases-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test.each([
    ['echo out; echo err >&2', { code: 0, stdout: 'out\n', stderr: 'err\n', stdoutBytes: 4, stderrBytes: 4 }],
    ['echo out; exit 3', { code: 3, stdout: 'out\n', stderr: '' }],
    ['printf ""', { code: 0, stdout: '', stderr: '', stdoutBytes: 0, truncated: false }],
    ['kill -9 $$', { code: 137, signal: 'SIGKILL' }],
    // The one closes its output early, the other reads to the end of an stdin that nobody sends.
    ['exec >&- 2>&-; sleep 0.2; exit 4', { code: 4 }],
    ['cat; echo read', { code: 0, stdout: 'read\n' }],
    [String.raw`printf 'a\000b\355\240\200c\303'`, { code: 0, stdout: 'ab\ufffd\ufffd\ufffdc\ufffd', stdoutBytes: 8 }],
    ['cd /nowhere-at-all && echo here', { stdout: '', stdoutBytes: 0 }],
  ])('%s', async (command, expected) => {
    const ran = await run(open(), command);
    expect(ran).toMatchObject(expected);
    expect(ran).not.toHaveProperty('lost');
  });

  test('characters of several bytes come through whole, both ways', async () => {
    const text = 'ä€😀'.repeat(100_000);
    const ran = await run(open(), 'cat', { stdin: text });
    expect(ran).toMatchObject({ code: 0, stdoutBytes: 900_000, truncated: false });
    expect(ran.stdout === text).toBe(true);
  });

  test('what is beyond the cap is read, counted and thrown away, and costs no memory', async () => {
    const most = { bytes: 0 };
    const sampler = setInterval(() => {
      most.bytes = Math.max(most.bytes, process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed);
    }, 10);
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
    const ran = await run(open(), `head -c ${BIG_BYTES} /dev/zero | tr '\\0' x; echo end >&2`, { capBytes: 1_000 });
    clearInterval(sampler);
    expect(ran).toMatchObject({ code: 0, stdoutBytes: BIG_BYTES, stdout: 'x'.repeat(1_000), truncated: true });
    expect(ran.stderr).toBe('end\n');
    expect(most.bytes).toBeGreaterThan(0);
    expect(most.bytes - before).toBeLessThan(MEMORY_BYTES);
  });

  test('a character that the cap cuts is left out, and a cap of nothing keeps nothing', async () => {
    const ssh = open();
    expect(await run(ssh, 'printf aä', { capBytes: 2 })).toMatchObject({
      stdout: 'a',
      stdoutBytes: 3,
      truncated: true,
    });
    expect(await run(ssh, 'printf aä', { capBytes: 3 })).toMatchObject({ stdout: 'aä', truncated: false });
    expect(await run(ssh, 'printf a', { capBytes: 0 })).toMatchObject({ stdout: '', stdoutBytes: 1, truncated: true });
  });

  test('a command that does not read its stdin is not disturbed, and its source is told', async () => {
    let isReturned = false;
    const source = async function* () {
      try {
        for (;;) yield Buffer.alloc(100_000, 'x');
      } finally {
        isReturned = true;
      }
    };
    const ssh = open();
    expect(await run(ssh, 'exit 5', { stdin: Buffer.alloc(8 * MEGABYTE) })).toMatchObject({ code: 5 });
    expect(await run(ssh, 'head -c 3; exit 6', { stdin: source() })).toMatchObject({ code: 6, stdout: 'xxx' });
    await until('the source is told', () => isReturned);
    expect(await run(ssh, 'echo still here')).toMatchObject({ code: 0, stdout: 'still here\n' });
  });

  test('a source that fails is not taken for one that ended', async () => {
    const file = join(dir, 'half');
    const source = async function* () {
      yield Buffer.from('half');
      throw new Error('the disk is broken');
    };
    const ssh = open();
    await expect(run(ssh, `cat > ${file}; echo whole >> ${file}`, { stdin: source() })).rejects.toThrow(
      'disk is broken',
    );
    await expect(run(ssh, 'yes', { onStdout: () => Promise.reject(new Error('no more')) })).rejects.toThrow('no more');
    expect(await run(ssh, 'echo still here')).toMatchObject({ code: 0 });
  });

  test('a taker gets all of the output as it comes, and one that is slow slows the command', async () => {
    const ssh = open();
    const done = join(dir, 'all-was-written');
    let bytes = 0;
    let proceed: () => void = () => undefined;
    const mayProceed = new Promise<void>((resolve) => (proceed = resolve));
    const running = run(ssh, `head -c ${BIG_BYTES} /dev/zero; : > ${done}`, {
      onStdout: async (chunk) => {
        bytes += chunk.length;
        await mayProceed;
      },
    });
    await until('the first piece', () => bytes > 0);
    const early = bytes;
    expect(await run(ssh, `sleep 0.5; test -e ${done}`)).toMatchObject({ code: 1 });
    expect(bytes).toBe(early);
    proceed();
    expect(await running).toMatchObject({ code: 0, stdout: '', stdoutBytes: BIG_BYTES, truncated: false });
    expect(bytes).toBe(BIG_BYTES);
    expect(await run(ssh, `test -e ${done}`)).toMatchObject({ code: 0 });
  });

  test('time out and abort are unknown outcomes with what came before', async () => {
    const ssh = open();
    await run(ssh, 'true');
    const late = await run(ssh, 'echo begun; sleep 30', { timeoutMs: 1_500 });
    expect(late).toMatchObject({ code: null, lost: 'timeout', stdout: 'begun\n' });
    const abort = new AbortController();
    const begun = run(ssh, 'echo begun; exec sleep 30', { signal: abort.signal, onStdout: () => abort.abort() });
    expect(await begun).toMatchObject({ code: null, lost: 'aborted', stdoutBytes: 6 });
    expect(await failureOf(run(ssh, 'echo', { signal: abort.signal }))).toMatchObject({ type: 'SshUnreachable' });
    await until('the channels are given back', () => ssh.stats().channels === 0);
  });
}
