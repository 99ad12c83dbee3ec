// Downloads a file by fetch, or by curl where a proxy or a private certificate stands between: Node 20 knows neither.
import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Rejects with a short reason. `limitMs` is for all of it, `stallMs` for the longest silence. */
export async function download(url, file, { limitMs, stallMs }) {
  if (usesProxy(url)) return byCurl(url, file, { limitMs, stallMs });
  try {
    return await byFetch(url, file, { limitMs, stallMs });
  } catch (error) {
    if (!/CERT|SELF_SIGNED|UNABLE_TO/.test(error.cause?.code ?? '')) throw new Error(reason(error), { cause: error });
    return byCurl(url, file, { limitMs, stallMs });
  }
}

async function byFetch(url, file, { limitMs, stallMs }) {
  const stop = new AbortController();
  const limit = setTimeout(() => stop.abort(new Error(`no end after ${limitMs / 1000} s`)), limitMs);
  let stall;
  const alive = () => {
    clearTimeout(stall);
    stall = setTimeout(() => stop.abort(new Error(`silent for ${stallMs / 1000} s`)), stallMs);
  };
  try {
    alive();
    const answer = await fetch(url, { signal: stop.signal });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const body = Readable.fromWeb(answer.body);
    body.on('data', alive);
    await pipeline(body, createWriteStream(file), { signal: stop.signal });
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    clearTimeout(limit);
    clearTimeout(stall);
  }
}

async function byCurl(url, file, { limitMs, stallMs }) {
  const seconds = (ms) => String(Math.ceil(ms / 1000));
  const limits = ['--connect-timeout', seconds(stallMs), '--speed-limit', '1', '--speed-time', seconds(stallMs)];
  const args = ['--fail', '--silent', '--show-error', '--location', ...limits, '--max-time', seconds(limitMs)];
  try {
    await run('curl', [...args, '--output', file, url]);
  } catch (error) {
    if (error.code === 'ENOENT')
      throw new Error('a proxy or a private certificate is in the way, and curl is not installed');
    throw new Error(error.stderr?.trim().split('\n').at(-1) || error.message, { cause: error });
  }
}

function usesProxy(url) {
  const { protocol, hostname } = new URL(url);
  const read = (name) => process.env[name] || process.env[name.toUpperCase()];
  const proxy = read(`${protocol.slice(0, -1)}_proxy`) || read('all_proxy');
  if (!proxy) return false;
  const exceptions = (read('no_proxy') ?? '').split(',').map((name) => name.trim().replace(/^\*?\./, ''));
  return !exceptions.some((name) => name === '*' || (name && (hostname === name || hostname.endsWith(`.${name}`))));
}

/** fetch hides the reason in the cause, and several reasons in the cause's list. */
function reason(error) {
  const cause = error.cause?.errors?.[0] ?? error.cause ?? error;
  return cause.code ?? cause.message;
}
