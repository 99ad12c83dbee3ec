// Following a large log while it is written: the bytes of the machine, and memory that does not grow with it.
import { createHash } from 'node:crypto';
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { homeOf } from '../test/kit/hosts.ts';
import { jobEnds, startJob } from '../test/kit/jobs.ts';
import { register } from '../test/kit/members.ts';
import type { System } from '../test/kit/system.ts';
import type { BenchOptions, Finding, Measurement } from './measurement.ts';
import { residentMb } from './memory.ts';
import { withSystem } from './servers.ts';

const BYTES = 100 * 1_048_576;
const MOST_GROWTH_MB = 150;
const EVERY_MS = 500;

export const jobLog: Measurement = {
  name: 'job-log',
  about: 'following a log of 100 MB as server-sent events while it is written',
  run: (options) => withSystem({}, (system) => followOne(system, options)),
};

async function followOne(system: System, { say }: BenchOptions): Promise<Finding[]> {
  const instanceId = await system.cloud.make('talker');
  await register(system, 'talker');
  const before = memoryOf(system);
  let most = before;
  const sampling = setInterval(() => {
    const now = memoryOf(system);
    most = { worker: Math.max(most.worker, now.worker), api: Math.max(most.api, now.api) };
  }, EVERY_MS);
  try {
    const id = await startJob(system, 'talker', `seq 1 30000000 | head -c ${BYTES}`);
    const followed = await follow(system, id);
    await jobEnds(system, id, 60_000);
    const written = await writtenBy(system, instanceId, id);
    say(`${followed.bytes} bytes followed`);
    const [worker, api] = [most.worker - before.worker, most.api - before.api];
    return [
      {
        what: 'log of 100 MB, followed: bytes, and the same as on the machine',
        bound: `> ${BYTES}, yes`,
        measured: `${followed.bytes}, ${followed.sha256 === written.sha256 ? 'yes' : 'no'}`,
        holds: followed.bytes > BYTES && followed.sha256 === written.sha256,
      },
      {
        what: 'log of 100 MB: memory more than before, worker / API',
        bound: `<= ${MOST_GROWTH_MB} MB`,
        measured: `${worker.toFixed(0)} / ${api.toFixed(0)} MB`,
        holds: worker <= MOST_GROWTH_MB && api <= MOST_GROWTH_MB,
      },
    ];
  } finally {
    clearInterval(sampling);
  }
}

interface Sum {
  readonly bytes: number;
  readonly sha256: string;
}

/** Reads the events to the last one, line by line, since all of them are larger than a string may be. */
async function follow({ api }: System, id: string): Promise<Sum> {
  const response = await fetch(`${api.url}/api/v1/jobs/${id}/log?follow=1`);
  if (!response.body) throw new Error(`follow: ${response.status}`);
  const hash = createHash('sha256');
  const decoder = new TextDecoder();
  let bytes = 0;
  let rest = '';
  let event = '';
  for await (const chunk of response.body) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('event: ')) event = line.slice(7);
      if (!line.startsWith('data: ') || event !== 'log') continue;
      const piece = Buffer.from(line.slice(6), 'base64');
      hash.update(piece);
      bytes += piece.length;
    }
  }
  return { bytes, sha256: hash.digest('hex') };
}

async function writtenBy(system: System, instanceId: string, id: string): Promise<Sum> {
  const folder = join(homeOf(system, instanceId), '.fermata', 'jobs', id, 'log');
  const hash = createHash('sha256');
  let bytes = 0;
  for (const file of readdirSync(folder).sort()) {
    for await (const chunk of createReadStream(join(folder, file))) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  }
  return { bytes, sha256: hash.digest('hex') };
}

function memoryOf({ worker, apiProcess }: System) {
  return { worker: residentMb(worker.pid), api: residentMb(apiProcess.pid) };
}
