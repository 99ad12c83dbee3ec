// A machine in small for the probe: a home, a PATH of chosen programs, and a shell that runs what would come over SSH.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ProbeRequest } from '../../activities/remote/probe.ts';
import { parseProbe, probeCommand } from '../../activities/remote/probe.ts';
import { assetPath } from '../../config/paths.ts';
import type { ProbeValues } from '../../domain/probe.ts';

/** The script as the package has it. */
export const PROBE_SCRIPT = readFileSync(assetPath('activities', 'remote', 'probe.sh'), 'utf8');

const SYSTEM = ['/usr/bin', '/bin'];
const TOOLS = [
  ...['timeout', 'true', 'base64', 'tr', 'head', 'tail', 'sort', 'grep', 'find', 'stat', 'date', 'setsid', 'cat'],
  ...['mv', 'sleep'],
];

/** Where the system has a program; undefined when it has not. */
export function programOf(name: string): string | undefined {
  return SYSTEM.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** The shells that scripts must run under, as far as this system has them. */
export const SHELLS = ['dash', 'bash'].filter((name) => programOf(name) !== undefined);

const NOTHING_ASKED: ProbeRequest = { processNames: [], custom: null };
const AT = '2030-01-01T00:00:00.000Z';

export interface Machine {
  readonly home: string;
  /** Puts a script on the PATH. */
  install(name: string, script: string): void;
  /** Writes a file below the home, with the folders to it. */
  write(path: string, content: string): string;
  look(request?: ProbeRequest): Promise<ProbeValues & { readonly tookMs: number }>;
  remove(): void;
}

/** A machine without GPU and logins; `env` adds to its environment. */
export function machine(shell: string, env: Readonly<Record<string, string>> = {}): Machine {
  const home = mkdtempSync(join(tmpdir(), 'fermata-probe-'));
  const bin = join(home, 'bin');
  mkdirSync(bin);
  const shellPath = programOf(shell);
  if (shellPath === undefined) throw new Error(`there is no ${shell}`);
  for (const name of ['sh', 'login-shell']) symlinkSync(shellPath, join(bin, name));
  for (const tool of TOOLS) symlinkSync(programOf(tool) ?? `/no/${tool}`, join(bin, tool));
  const install = (name: string, script: string) => {
    rmSync(join(bin, name), { force: true });
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  install('who', ':');
  return {
    home,
    install,
    write: (path, content) => {
      mkdirSync(dirname(join(home, path)), { recursive: true });
      writeFileSync(join(home, path), content);
      return join(home, path);
    },
    look: async (request = NOTHING_ASKED) => {
      const { command, stdin } = probeCommand(PROBE_SCRIPT, request);
      const startedAt = performance.now();
      // What comes after it keeps the shell from giving way to the command: so it is there while processes are counted.
      const child = spawn(join(bin, 'login-shell'), ['-c', `echo Welcome; ${command}; echo Goodbye`], {
        cwd: home,
        env: { HOME: home, PATH: bin, ...env },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      child.stdin.end(stdin);
      const [answer] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      return { ...parseProbe(answer, { request, at: AT }), tookMs: performance.now() - startedAt };
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}

/** A machine whose second of measuring passes at once, for looks at something else. */
export function quickMachine(shell: string, env: Readonly<Record<string, string>> = {}): Machine {
  const made = machine(shell, env);
  made.install('sleep', ':');
  return made;
}
