// Where the Temporal CLI comes from: the order of the ways, a good download and bad ones, the build, the cache.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { fakeCli, fakeGo, makeBin, serveReleases, type Manner, type Releases } from './releases.ts';

const GO = '1.26.8';
const outcome = z.object({ said: z.array(z.string()), path: z.string().optional(), refusal: z.string().optional() });

let dir: string;
let built: string;
let releases: Releases | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fermata-temporal-'));
  built = join(dir, 'built');
});

afterEach(async () => {
  await releases?.close();
  releases = undefined;
  rmSync(dir, { recursive: true, force: true });
});

interface Machine {
  readonly scripts?: Readonly<Record<string, string>>;
  readonly env?: NodeJS.ProcessEnv;
}

let machines = 0;

function provide({ scripts = {}, env = {} }: Machine): Promise<z.infer<typeof outcome>> {
  const bin = makeBin(join(dir, `bin-${machines++}`), scripts);
  const nowhere = { FERMATA_TEMPORAL_DOWNLOAD_URL: 'http://127.0.0.1:2' };
  const whole = { PATH: bin, HOME: dir, FERMATA_CACHE_DIR: join(dir, 'cache'), ...nowhere, ...env };
  return new Promise((resolve, reject) => {
    const args = ['test/local/provide.mjs', join(dir, 'build.log')];
    execFile(process.execPath, args, { env: whole }, (error, stdout) => {
      if (error) reject(error);
      else resolve(outcome.parse(JSON.parse(stdout)));
    });
  });
}

async function provideFrom(manner: Manner, machine: Machine = {}) {
  releases = await serveReleases(join(dir, 'releases'), manner);
  const env = { FERMATA_TEMPORAL_DOWNLOAD_URL: releases.url, ...machine.env };
  return provide({ scripts: { go: fakeGo(GO, built) }, ...machine, env });
}

const builds = () => (existsSync(built) ? readFileSync(built, 'utf8').trim().split('\n').length : 0);

test("a server of the user's own needs no CLI", async () => {
  const { path, said } = await provide({ env: { TEMPORAL_ADDRESS: 'there:7233' } });
  expect(path).toBeUndefined();
  expect(said[0]).toContain('there:7233');
});

test('TEMPORAL_CLI_PATH goes before PATH, and is refused where it is no CLI that is new enough', async () => {
  const asked = join(dir, 'mine');
  writeFileSync(asked, fakeCli('1.29.1'), { mode: 0o755 });
  const scripts = { temporal: fakeCli('1.31.2') };
  expect((await provide({ scripts, env: { TEMPORAL_CLI_PATH: asked } })).path).toBe(asked);
  writeFileSync(asked, fakeCli('1.28.9'));
  const { refusal } = await provide({ scripts, env: { TEMPORAL_CLI_PATH: asked } });
  expect(refusal).toContain(`${asked} has server 1.28.9, 1.29 or later is needed`);
  expect((await provide({ scripts, env: { TEMPORAL_CLI_PATH: join(dir, 'none') } })).refusal).toContain(
    'is no Temporal CLI',
  );
});

test('one on PATH is used when new enough, otherwise passed over with a word', async () => {
  const { path } = await provide({ scripts: { temporal: fakeCli('1.29.0') } });
  expect(path).toMatch(/bin-\d+\/temporal$/);
  const { said, path: made } = await provide({ scripts: { temporal: fakeCli('1.9.0'), go: fakeGo(GO, built) } });
  expect(said[0]).toContain('has server 1.9.0, 1.29 or later is needed');
  expect(made).toContain(join(dir, 'cache'));
});

test('a download is kept in the cache, and nothing is fetched or built again', async () => {
  const { path } = await provideFrom('well');
  expect(path).toContain(join(dir, 'cache'));
  expect(releases?.asked).toHaveLength(2);
  expect(await provide({})).toEqual({ path, said: ['server 1.31.2 (cache)'] });
  expect(builds()).toBe(0);
  expect(readdirSync(join(dir, 'cache', 'temporal')).sort()).toEqual([expect.stringMatching(/^1\./), 'lock']);
});

test.each<[Manner, RegExp]>([
  ['wrong checksum', /download failed \(.* does not have the checksum/],
  ['truncated', /download failed \(/],
  ['no archive', /download failed \(HTTP 404\)/],
  ['not for us', /no download \(the release has no temporal_cli_/],
  ['silent', /no download \(silent for 3 s\)/],
])('a release that is served with: %s, is built by Go instead', async (manner, said) => {
  const began = Date.now();
  const made = await provideFrom(manner);
  expect(made.said.join('\n')).toMatch(said);
  expect(made.path).toContain(join(dir, 'cache'));
  expect(builds()).toBe(1);
  expect(Date.now() - began).toBeLessThan(8_000);
});

test('offline is found out at once, and the build keeps to the cache folder and cleans up', async () => {
  const { said } = await provide({ scripts: { go: fakeGo(GO, built) } });
  expect(said[0]).toMatch(/no download \(ECONNREFUSED\): building 1\.\d+\.\d+ with Go, about 5 min, once/);
  expect(readFileSync(built, 'utf8')).toBe('build -modcacherw local\n');
  expect(readdirSync(join(dir, 'cache'))).toEqual(['temporal']);
  expect(existsSync(join(dir, '.config'))).toBe(false);
});

test('an older Go builds the older CLI, and one that is too old for both is refused by its number', async () => {
  const older = await provide({ scripts: { go: fakeGo('1.25.3', built) } });
  expect(older.said[0]).toContain('building 1.5.1 with Go');
  expect(readFileSync(built, 'utf8')).toContain('install');
  rmSync(join(dir, 'cache'), { recursive: true });
  const old = await provide({ scripts: { go: fakeGo('1.19.8', built) } });
  expect(old.refusal).toMatch(/no download \(.*\); Go 1\.19\.8 is too old to build it, 1\.\d+\.\d+ or later is needed/);
  const none = await provide({});
  expect(none.refusal).toMatch(/Go is not installed, and Go 1\.\d+\.\d+ or later could build it.*TEMPORAL_CLI_PATH/);
});

test('a build that fails says so with the end of its log', async () => {
  const go = fakeGo(GO, built).replace('build|install)', 'build|install) echo "no such module"; exit 2 ;;\n  never)');
  const { refusal } = await provide({ scripts: { go } });
  expect(refusal).toMatch(/could not be built\. go ended with 2\..*no such module/s);
});

test('two starts at once make it once', async () => {
  const slow = fakeGo(GO, built).replace('build|install)', 'build|install) sleep 1');
  const both = await Promise.all([provide({ scripts: { go: slow } }), provide({ scripts: { go: slow } })]);
  expect(both[0].path).toBe(both[1].path);
  expect(builds()).toBe(1);
});

test('a file in the cache that is not what was put there is not run', async () => {
  const { path = '' } = await provide({ scripts: { go: fakeGo(GO, built) } });
  writeFileSync(path, '#!/bin/sh\necho "temporal version 6 (Server 6.6.6, UI 6)"\n');
  expect((await provide({ scripts: { go: fakeGo(GO, built) } })).path).toBe(path);
  expect(builds()).toBe(2);
});

test('behind a proxy curl is used, except for hosts that need none', async () => {
  releases = await serveReleases(join(dir, 'releases'), 'well');
  const env = { FERMATA_TEMPORAL_DOWNLOAD_URL: 'http://releases.invalid/cli', http_proxy: releases.url };
  expect((await provide({ env })).path).toContain(join(dir, 'cache'));
  expect(releases.asked[0]).toMatch(/^\/cli\/v1\..*checksums\.txt$/);
  rmSync(join(dir, 'cache'), { recursive: true });
  const direct = await provide({ env: { ...env, no_proxy: 'example.com, .invalid' } });
  expect(direct.refusal).toMatch(/no download \(ENOTFOUND|no download \(EAI_AGAIN/);
});
