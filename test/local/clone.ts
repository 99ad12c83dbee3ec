// A small clone of this repository in a folder of its own: the real preparation and launcher, stubs for API and worker.
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { once } from 'node:events';

const HOUSE = process.cwd();
const COPIED = ['local', 'config', 'domain', 'package.json', 'package-lock.json', 'tsconfig.json', 'config.json'];

const STUB_ENDING = `
const end = () => process.exit(0);
process.on('disconnect', end);
process.on('SIGTERM', process.env['STUB_HANGS'] ? () => undefined : end);
process.send?.({ type: 'ready' });
`;

const STUB_API = `// Stands for the API: answers what environment it was given.
import { createServer } from 'node:http';

const server = createServer((_request, response) => response.end(JSON.stringify(process.env)));
await new Promise<void>((resolve) => server.listen(Number(process.env['PORT']), process.env['HOST'], resolve));
${STUB_ENDING}`;

const STUB_WORKER = `// Stands for the worker: fails once where it is told to.
import { existsSync, rmSync } from 'node:fs';

const failing = process.env['STUB_FAILS'] ?? '';
if (existsSync(failing)) {
  process.stderr.write('the stub was told to fail\\n');
  process.exit(7);
}
setInterval(() => undefined, 60_000);
${STUB_ENDING}`;

export interface Clone {
  readonly root: string;
  /** \`npm start\` without npm: the process itself, to be signalled. */
  start(dataDir: string, env?: NodeJS.ProcessEnv, command?: string): Started;
  /** Any other script of it. */
  run(script: string, args: readonly string[], env?: NodeJS.ProcessEnv): Started;
  remove(): void;
}

export interface Started {
  readonly child: ChildProcess;
  output(): string;
  /** Resolves when the output has this, rejects when the process ends first. */
  says(text: string): Promise<void>;
  readonly ended: Promise<number | null>;
}

export function makeClone(more: readonly string[] = []): Clone {
  const root = mkdtempSync(join(tmpdir(), 'fermata-clone-'));
  for (const name of [...COPIED, ...more]) cpSync(join(HOUSE, name), join(root, name), { recursive: true });
  symlinkSync(join(HOUSE, 'node_modules'), join(root, 'node_modules'));
  for (const [file, text] of Object.entries({ 'api/main.ts': STUB_API, 'worker/main.ts': STUB_WORKER })) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  const run = (script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const whole = { ...process.env, ...env };
    return follow(
      spawn(process.execPath, [script, ...args], { cwd: root, env: whole, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
  };
  const start = (dataDir: string, env: NodeJS.ProcessEnv = {}, command?: string) =>
    run('local/start.mjs', command ? [command] : [], { FERMATA_DATA_DIR: dataDir, ...env });
  return { root, start, run, remove: () => rmSync(root, { recursive: true, force: true }) };
}

export function follow(child: ChildProcess): Started {
  let output = '';
  const lookers = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      for (const look of lookers) look();
    });
  }
  const ended = once(child, 'close').then(() => child.exitCode);
  const says = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!output.includes(text)) return;
        lookers.delete(look);
        resolve();
      };
      lookers.add(look);
      look();
      void ended.then(() => reject(new Error(`it ended without saying "${text}":\n${output}`)));
    });
  return { child, output: () => output, says, ended };
}
