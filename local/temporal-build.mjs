// Builds the Temporal CLI from Go modules, pinned by go.sum, without leaving anything outside the cache folder.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { runLogged } from './command.mjs';
import { Refusal, cacheFolder, root } from './settings.mjs';
import { FALLBACK_VERSION, binaryName, isNewEnough, pinnedVersion } from './temporal-binary.mjs';

// What go.mod of that version asks for.
const FALLBACK_GO = '1.25.0';
const NEEDED_BYTES = 5e9;
const COMMAND = 'github.com/temporalio/cli/cmd/temporal';

/** `{ version }` of the CLI that this machine's Go can build, or `{ refusal }`: why it can build none. */
export function checkGo() {
  const needed = /^go (\S+)/m.exec(readFileSync(join(root, 'local/temporal/go.mod'), 'utf8'))[1];
  const found = goVersion();
  if (found === undefined) return { refusal: `Go is not installed, and Go ${needed} or later could build it` };
  if (!isNewEnough(found, FALLBACK_GO))
    return { refusal: `Go ${found} is too old to build it, ${needed} or later is needed` };
  const cache = cacheFolder();
  const { bavail, bsize } = statfsSync(cache);
  if (bavail * bsize < NEEDED_BYTES) {
    const free = ((bavail * bsize) / 1e9).toFixed(1);
    return { refusal: `to build it takes 5 GB for a while, ${cache} has ${free} GB free (FERMATA_CACHE_DIR moves it)` };
  }
  return { version: isNewEnough(found, needed) ? pinnedVersion() : FALLBACK_VERSION };
}

function goVersion() {
  // Go counts its own use in the user's configuration folder, even for this.
  const config = mkdtempSync(join(tmpdir(), 'fermata-go-'));
  try {
    const env = { ...process.env, GOTOOLCHAIN: 'local', XDG_CONFIG_HOME: config };
    return /go(\d+\.\d+(\.\d+)?)/.exec(execFileSync('go', ['version'], { encoding: 'utf8', env }))?.[1];
  } catch {
    return undefined;
  } finally {
    rmSync(config, { recursive: true, force: true });
  }
}

/** Answers the path of the binary, inside `work`. */
export async function buildTemporal(version, { work, log, onSpawn }) {
  // Kept when we are interrupted, for the next start to go on from; gone once it succeeded or failed.
  const scratch = join(cacheFolder(), 'go-build');
  const module = join(work, 'module');
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  cpSync(join(root, 'local/temporal'), module, { recursive: true });
  const env = {
    ...process.env,
    GOENV: goEnvFile(),
    GOPATH: join(scratch, 'path'),
    GOMODCACHE: join(scratch, 'modules'),
    GOCACHE: join(scratch, 'objects'),
    GOTMPDIR: work,
    XDG_CONFIG_HOME: join(scratch, 'config'),
    GOTOOLCHAIN: 'local',
    GOFLAGS: '-modcacherw',
    GOWORK: 'off',
    GOBIN: work,
    CGO_ENABLED: '0',
  };
  const stamped = `-s -w -X github.com/temporalio/cli/internal/temporalcli.Version=${version}`;
  const out = join(work, binaryName);
  const pinned = ['build', '-trimpath', '-ldflags', stamped, '-o', out, COMMAND];
  const fallback = ['install', '-trimpath', '-ldflags', '-s -w', `${COMMAND}@v${version}`];
  const isPinned = version === pinnedVersion();
  try {
    await runLogged('go', isPinned ? pinned : fallback, { cwd: isPinned ? module : work, env, log, onSpawn });
    rmSync(scratch, { recursive: true, force: true });
    return out;
  } catch (error) {
    if (!error.interrupted) rmSync(scratch, { recursive: true, force: true });
    throw new Refusal(`The Temporal CLI could not be built. ${error.message}`, { cause: error });
  }
}

/** The user's own settings of Go, a module proxy for example, stay in force although the folder they are in moved. */
function goEnvFile() {
  if (process.env.GOENV) return process.env.GOENV;
  if (process.env.XDG_CONFIG_HOME) return join(process.env.XDG_CONFIG_HOME, 'go', 'env');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'go', 'env');
  if (process.platform === 'win32') return join(process.env.APPDATA ?? homedir(), 'go', 'env');
  return join(homedir(), '.config', 'go', 'env');
}
