// Downloads the Temporal CLI's official release and trusts it only by its checksum.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { download } from './http.mjs';
import { root } from './settings.mjs';
import { binaryName, sha256 } from './temporal-binary.mjs';

const run = promisify(execFile);
const RELEASES = 'https://github.com/temporalio/cli/releases/download';
const SUMS = 'checksums.txt';
// Being offline must be found out while somebody watches; a slow line may take its time once it is known to work.
const PROBE = { limitMs: 4_000, stallMs: 3_000 };
const ARCHIVE = { limitMs: 600_000, stallMs: 20_000 };

const base = (version) => `${process.env.FERMATA_TEMPORAL_DOWNLOAD_URL || RELEASES}/v${version}`;

function archiveName(version) {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  return `temporal_cli_${version}_${os}_${arch}.tar.gz`;
}

/**
 * Answers `{ sum }`, or `{ reason }` why there is nothing to download. The sum of a release that was looked at by a person
 * stands in archive-sums.json. None does yet: until then it is the one that the release itself publishes beside the
 * archive, which proves a whole and unmixed download, and not who made it.
 */
export async function findArchive(version) {
  const folder = mkdtempSync(join(tmpdir(), 'fermata-probe-'));
  try {
    const file = join(folder, SUMS);
    await download(`${base(version)}/${SUMS}`, file, PROBE);
    const known = JSON.parse(readFileSync(join(root, 'local/temporal/archive-sums.json'), 'utf8'));
    const sum = known[archiveName(version)] ?? published(file, archiveName(version));
    return sum ? { sum } : { reason: `the release has no ${archiveName(version)}` };
  } catch (error) {
    return { reason: error.message };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function published(file, name) {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.map((line) => /^([0-9a-f]{64})\s+\*?(\S+)$/.exec(line.trim())).find((found) => found?.[2] === name)?.[1];
}

/** Answers the path of the binary, inside `work`. */
export async function downloadTemporal(version, sum, work) {
  const name = archiveName(version);
  const archive = join(work, name);
  await download(`${base(version)}/${name}`, archive, ARCHIVE);
  if (sha256(archive) !== sum) throw new Error(`${name} does not have the checksum that it should`);
  const unpacked = join(work, 'unpacked');
  mkdirSync(unpacked, { recursive: true });
  await run('tar', ['-xzf', archive, '-C', unpacked, binaryName]);
  return join(unpacked, binaryName);
}
