// A server of Temporal CLI releases for tests, which serves them well or badly, and stand-ins for the CLI and for Go.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';

export type Manner = 'well' | 'wrong checksum' | 'truncated' | 'no archive' | 'silent' | 'not for us';

export interface Releases {
  readonly url: string;
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** A script that answers as the CLI of that server does. */
export function fakeCli(server: string): string {
  return `#!/bin/sh\necho "temporal version 9.9.9 (Server ${server}, UI 2.50.1)"\n`;
}

/** Writes a CLI where it is told to, and a line in \`built\` for each time. */
export function fakeGo(version: string, built: string): string {
  const cli = fakeCli('1.31.2');
  return `#!/bin/sh
case "$1" in
  version) echo "go version go${version} linux/amd64" ;;
  env) echo off ;;
  build|install)
    echo "$1" "$GOFLAGS" "$GOTOOLCHAIN" >> '${built}'
    mkdir -p "$GOMODCACHE" "$GOCACHE" && echo module > "$GOMODCACHE/module"
    out="$GOBIN/temporal"
    while [ $# -gt 0 ]; do if [ "$1" = -o ]; then out="$2"; fi; shift; done
    cat > "$out" <<'CLI'
${cli}CLI
    chmod +x "$out" ;;
esac
`;
}

/** A folder for PATH with these scripts and the few real tools that preparation calls. */
export function makeBin(dir: string, scripts: Readonly<Record<string, string>>): string {
  mkdirSync(dir, { recursive: true });
  for (const tool of ['sh', 'cat', 'mkdir', 'chmod', 'tar', 'gzip', 'curl', 'sleep']) {
    const path = execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();
    symlinkSync(path, join(dir, tool));
  }
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(dir, name), text, { mode: 0o755 });
  return dir;
}

export async function serveReleases(dir: string, manner: Manner): Promise<Releases> {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'temporal'), fakeCli('1.31.2'), { mode: 0o755 });
  execFileSync('tar', ['-czf', join(dir, 'archive.tar.gz'), '-C', dir, 'temporal']);
  const archive = readFileSync(join(dir, 'archive.tar.gz'));
  const asked: string[] = [];
  const server = createServer((request, response) => {
    // Through a proxy the whole address comes, otherwise the path of it.
    const path = new URL(request.url ?? '', 'http://here').pathname;
    asked.push(path);
    answer(path, manner, archive, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${portOf(server)}`, asked, close: () => close(server) };
}

function answer(path: string, manner: Manner, archive: Buffer, response: ServerResponse): void {
  if (manner === 'silent') return;
  if (path.endsWith('checksums.txt')) {
    const sum = createHash('sha256')
      .update(manner === 'wrong checksum' ? 'other' : archive)
      .digest('hex');
    const name = manner === 'not for us' ? 'temporal_cli_1.8.2_plan9_mips.tar.gz' : ourArchive();
    response.end(`${'0'.repeat(64)}  something_else.tar.gz\n${sum}  ${name}\n`);
  } else if (manner === 'no archive') {
    response.writeHead(404).end();
  } else if (manner === 'truncated') {
    response.writeHead(200, { 'content-length': archive.length });
    response.write(archive.subarray(0, archive.length / 2), () => response.destroy());
  } else {
    response.end(archive);
  }
}

function ourArchive(): string {
  const version = /temporalio\/cli v(\S+)/.exec(readFileSync('local/temporal/go.mod', 'utf8'))?.[1] ?? '';
  return `temporal_cli_${version}_${process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}.tar.gz`;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
