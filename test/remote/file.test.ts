// Files come and go whole, whatever was cut on the way, and nothing outside the work folder is read or written.
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PutReport, RemoteFile } from '../../activities/remote/file.ts';
import { getCommand, parseGet, parsePut, putCommand, statCommand } from '../../activities/remote/file.ts';
import { until } from '../kit/until.ts';
import { FILE_SCRIPT, Machine, sha256, SHELLS, succeeds } from './machine.ts';

const CONTENT = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * index) % 251));

describe.each(SHELLS)('in %s', (shell) => {
  let machine: Machine;
  let root: string;
  beforeEach(() => {
    machine = new Machine(shell);
    root = join(machine.home, 'work');
    mkdirSync(root);
  });
  afterEach(() => machine.close());

  const file = (path: string, content: Uint8Array = CONTENT): RemoteFile => {
    return { id: 'file-1', root, path, sizeBytes: content.length, sha256: sha256(content) };
  };
  const put = async (target: RemoteFile, offset: number, body: Uint8Array, mode?: number): Promise<PutReport> => {
    const call = putCommand(FILE_SCRIPT, { ...target, offset, ...(mode !== undefined && { mode }) });
    const { stdout, stderr } = await machine.run(call, {}, body);
    expect(stderr).toBe('');
    return parsePut(stdout.toString());
  };
  const stat = async (target: RemoteFile) => {
    const { stdout, stderr } = await machine.run(statCommand(FILE_SCRIPT, target));
    expect(stderr).toBe('');
    return parsePut(stdout.toString());
  };
  const get = async (path: string, offset = 0, maxBytes = 1_000_000, from = root) => {
    const call = getCommand(FILE_SCRIPT, { root: from, path, offset, maxBytes });
    const { stdout, stderr } = await machine.run(call);
    expect(stderr).toBe('');
    const found = parseGet(stdout);
    if (!found) throw new Error(`no report in ${stdout.toString()}`);
    return { report: found.report, body: stdout.subarray(found.bodyStart) };
  };

  test('a file is put with its folders and permissions, and comes back as it was', async () => {
    const target = file('new/folder/file.bin');
    expect(await stat(target)).toEqual({ state: 'have', haveBytes: 0 });
    expect(readdirSync(root)).toEqual([]);
    expect(await put(target, 0, CONTENT, 0o750)).toEqual({ state: 'done' });
    const path = join(root, target.path);
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o750);
    expect(readdirSync(join(root, 'new/folder'))).toEqual(['file.bin']);
    expect(await stat(target)).toEqual({ state: 'done' });
    const { report, body } = await get(target.path);
    const modifiedAt = new Date(Math.floor(statSync(path).mtimeMs / 1_000) * 1_000).toISOString();
    expect(report).toEqual({ state: 'file', sizeBytes: CONTENT.length, modifiedAt, sha256: target.sha256 });
    expect(body.equals(CONTENT)).toBe(true);
  });

  test('a put that is there already does nothing but set the permissions; another content replaces it', async () => {
    writeFileSync(join(root, 'file'), CONTENT);
    const before = statSync(join(root, 'file'));
    expect(await put(file('file'), 0, new Uint8Array(), 0o600)).toEqual({ state: 'done' });
    expect(statSync(join(root, 'file'))).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
    expect(statSync(join(root, 'file')).mode & 0o777).toBe(0o600);
    for (const content of [Buffer.from('other'), Buffer.from(''), CONTENT.map((byte) => byte ^ 1)]) {
      expect(await put(file('file', content), 0, content)).toEqual({ state: 'done' });
      expect(readFileSync(join(root, 'file')).equals(content)).toBe(true);
      expect(statSync(join(root, 'file')).mode & 0o777).toBe(0o644);
    }
  });

  test('a put whose permissions cannot be set has failed, also where the content is there', async () => {
    writeFileSync(join(root, 'file'), CONTENT);
    const call = putCommand(FILE_SCRIPT, { ...file('file'), offset: 0, mode: 0o600 });
    const { stdout } = await machine.run(call, { PATH: machine.without('chmod') });
    expect(parsePut(stdout.toString())).toMatchObject({ state: 'setup_failed', why: expect.stringContaining('chmod') });
  });

  test('a put that was cut goes on where it ended, and nowhere else', async () => {
    const target = file('file');
    writeFileSync(join(root, 'file'), 'before');
    expect(await put(target, 0, CONTENT.subarray(0, 70_000))).toEqual({ state: 'have', haveBytes: 70_000 });
    expect(readFileSync(join(root, 'file'), 'utf8')).toBe('before');
    expect(await stat(target)).toEqual({ state: 'have', haveBytes: 70_000 });
    for (const offset of [0, 69_999, 70_001]) {
      expect(await put(target, offset, CONTENT.subarray(offset))).toEqual({ state: 'offset', haveBytes: 70_000 });
    }
    expect(await put(target, 70_000, CONTENT.subarray(70_000))).toEqual({ state: 'done' });
    expect(readFileSync(join(root, 'file')).equals(CONTENT)).toBe(true);
    expect(readdirSync(root)).toEqual(['file']);
  });

  test('an attempt whose connection hangs cannot touch what a later one completes', async () => {
    const target = file('file');
    const hanging = machine.begin(putCommand(FILE_SCRIPT, { ...target, offset: 0 }));
    hanging.stdin.write(CONTENT.subarray(0, 1_000));
    await until('some came', async () => {
      const seen = await stat(target);
      return seen.state === 'have' && seen.haveBytes === 1_000;
    });
    expect(await put(target, 1_000, CONTENT.subarray(1_000))).toEqual({ state: 'done' });
    hanging.stdin.end(CONTENT.subarray(1_000));
    expect(parsePut((await hanging.answer).stdout.toString())).toEqual({ state: 'done' });
    expect(readFileSync(join(root, 'file')).equals(CONTENT)).toBe(true);
  });

  test('what is not the promised file never becomes it', async () => {
    const target = file('file');
    const wrong = Buffer.from(CONTENT);
    wrong[5] = 255;
    for (const body of [wrong, Buffer.concat([CONTENT, Buffer.from('x')])]) {
      expect(await put(target, 0, body)).toEqual({ state: 'corrupt' });
      expect(readdirSync(root)).toEqual([]);
    }
    writeFileSync(join(root, '.fermata-file-1.part'), Buffer.alloc(CONTENT.length + 1));
    expect(await stat(target)).toEqual({ state: 'have', haveBytes: 0 });
    expect(await put(target, 0, CONTENT)).toEqual({ state: 'done' });
    expect(readdirSync(root)).toEqual(['file']);
  });

  test('pieces of a file are got from anywhere in it; the sum comes with the first', async () => {
    writeFileSync(join(root, 'file'), CONTENT);
    const pieces: [number, number][] = [
      [0, 10],
      [199_990, 1_000],
      [100, 100_000],
      [200_000, 5],
      [300_000, 5],
      [0, 0],
    ];
    for (const [offset, maxBytes] of pieces) {
      const { report, body } = await get('file', offset, maxBytes);
      const sum = offset === 0 ? sha256(CONTENT) : null;
      expect(report).toMatchObject({ state: 'file', sizeBytes: 200_000, sha256: sum });
      expect(body.equals(CONTENT.subarray(offset, offset + maxBytes))).toBe(true);
    }
    for (const path of ['none', 'none/none']) expect((await get(path)).report).toEqual({ state: 'absent' });
  });

  test('a name may be anything that a name can be', async () => {
    for (const name of [
      '-rf',
      'a\'b"c',
      '$(touch pwned)',
      '`id`',
      'a\nb\n',
      ' ',
      '*',
      '~',
      'é漢🎵',
      '\\',
      '...',
      'end',
    ]) {
      const target = file(`dir ${name}/${name}`, Buffer.from(name));
      expect([name, await put(target, 0, Buffer.from(name))]).toEqual([name, { state: 'done' }]);
      expect(readFileSync(join(root, target.path), 'utf8')).toBe(name);
      expect((await get(target.path)).body.toString()).toBe(name);
    }
    expect(existsSync(join(machine.home, 'pwned'))).toBe(false);
  });

  test('no path leads out of the folder', async () => {
    const outside = join(machine.home, 'outside');
    mkdirSync(outside);
    mkdirSync(`${root}-twin`);
    writeFileSync(join(outside, 'secret'), 'secret');
    mkdirSync(join(root, 'dir'));
    const links = {
      out: outside,
      twin: `${root}-twin`,
      up: '..',
      dangling: join(outside, 'new'),
      secret: join(outside, 'secret'),
      loop: 'loop',
    };
    for (const [name, to] of Object.entries(links)) symlinkSync(to, join(root, name));
    succeeds('mkfifo', join(root, 'pipe'));
    const paths = [
      ...['', '.', '..', '../outside/secret', '/etc/passwd', 'dir/../../outside/secret', 'dir/..', './file', 'dir//x'],
      ...['dir/', 'dir', 'out', 'out/secret', 'out/new', 'out/sub/new', 'twin/x', 'up/outside/secret', 'dangling'],
      ...['secret', 'secret/x', 'loop', 'loop/x', 'pipe', 'dir/.fermata-x.part'],
    ];
    for (const path of paths) {
      const content = Buffer.from('written');
      expect([path, await put(file(path, content), 0, content)]).toEqual([path, refused]);
      expect([path, await stat(file(path, content))]).toEqual([path, refused]);
      const { report, body } = await get(path);
      expect([path, report, body.length]).toEqual([path, refused, 0]);
    }
    expect(readdirSync(outside)).toEqual(['secret']);
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
    expect(readdirSync(`${root}-twin`)).toEqual([]);
    expect(readdirSync(root).sort()).toEqual([...Object.keys(links), 'dir', 'pipe'].sort());
  });

  test('a link that stays inside is followed: it stays, and what it leads to is replaced', async () => {
    mkdirSync(join(root, 'real'));
    writeFileSync(join(root, 'real/file'), 'before');
    symlinkSync('real', join(root, 'folder'));
    symlinkSync(join(root, 'real/file'), join(root, 'link'));
    symlinkSync('work', join(machine.home, 'root'));
    const [first, second] = [Buffer.from('first'), Buffer.from('second')];
    expect(await put({ ...file('link', first), root: 'root' }, 0, first)).toEqual({ state: 'done' });
    expect(lstatSync(join(root, 'link')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(root, 'real/file'), 'utf8')).toBe('first');
    expect(await put(file('folder/file', second), 0, second)).toEqual({ state: 'done' });
    expect((await get('link', 0, 100, '/')).report.state).toBe('absent');
    expect((await get('link')).body.toString()).toBe('second');
    expect((await get(join(root, 'link').slice(1), 0, 100, '/')).body.toString()).toBe('second');
  });

  test('a full disk, or a folder that nobody may write to, is no end', async () => {
    if (process.getuid?.() !== 0 || !succeeds('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', root)) {
      process.stdout.write('skipped: only root can mount a small disk\n');
      chmodSync(root, 0o500);
      expect(await put(file('file'), 0, CONTENT)).toMatchObject({ state: 'setup_failed' });
      return;
    }
    try {
      const seen = await put(file('file'), 0, CONTENT);
      expect(seen).toMatchObject({ state: 'setup_failed', why: expect.stringMatching(/space/) });
      const have = await stat(file('file'));
      expect(have).toMatchObject({ state: 'have' });
      succeeds('mount', '-o', 'remount,size=1m', root);
      const offset = have.state === 'have' ? have.haveBytes : -1;
      expect(offset).toBeGreaterThan(0);
      expect(await put(file('file'), offset, CONTENT.subarray(offset))).toEqual({ state: 'done' });
      expect(readFileSync(join(root, 'file')).equals(CONTENT)).toBe(true);
    } finally {
      succeeds('umount', '-l', root);
    }
  });
});

const refused = { state: 'refused', why: expect.any(String) };
