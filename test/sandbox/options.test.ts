// The command line: help, what is wrong with an option, and a port that is taken.
import { execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { freshFolder, program } from './box.ts';

interface Ended {
  readonly code: unknown;
  readonly out: string;
  readonly err: string;
}

const run = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { timeout: 10_000 }, (problem, out, err) =>
      resolve({ code: problem?.code ?? 0, out, err }),
    );
  });

test('help says what it is and what each option does', async () => {
  const { code, out } = await run('--help');
  expect(code).toBe(0);
  const options = [
    ...['--port', '--data-dir', '--host', '--state-ms', '--check-ms', '--region'],
    ...['--boot-ms', '--ssh-port', '--no-ssh', '--max-instances'],
  ];
  for (const option of options) expect(out).toContain(option);
});

test.each([
  [['--data-dir', 'x'], '--port is missing'],
  [['--port', '0'], '--data-dir is missing'],
  [['--port', '70000', '--data-dir', 'x'], '--port must be a whole number from 0 to 65535, not "70000"'],
  [['--port', '0', '--data-dir', 'x', '--state-ms', 'soon'], '--state-ms must be a whole number'],
  [['--port', '0', '--data-dir', 'x', '--ssh-port', '0'], '--ssh-port must be a whole number from 1 to 65535'],
  [['--port', '0', '--data-dir', 'x', '--max-instances', '20001'], '--max-instances must be a whole number from 1 to'],
  [['--port', '0', '--data-dir', 'x', '--region', 'home'], '--region must look like us-east-1, not "home"'],
  [['--port', '0', '--data-dir', 'x', '--colour', 'red'], "Unknown option '--colour'"],
  [['surprise'], "Unexpected argument 'surprise'"],
])('%j ends with 2 and "%s"', async (args, sentence) => {
  const { code, err } = await run(...args);
  expect(code).toBe(2);
  expect(err).toContain(sentence);
  expect(err).toContain('--help');
  expect(existsSync('x')).toBe(false);
});

test('a port that is taken ends with 1 and says so', async () => {
  const folder = freshFolder();
  const taken = createServer();
  try {
    const port = await new Promise<number>((resolve, reject) => {
      taken.listen(0, '127.0.0.1', () => {
        const address = taken.address();
        if (address === null || typeof address === 'string') reject(new Error('no port'));
        else resolve(address.port);
      });
    });
    const { code, err } = await run('--port', String(port), '--data-dir', join(folder, 'new'));
    expect(code).toBe(1);
    expect(err).toContain(`EADDRINUSE`);
  } finally {
    taken.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
