// The calls of the smoke test to the API of Fermata: each bounded, each refusal in words, each task followed to its end.
import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from './settings.mjs';

const CALL_MS = 40_000;
const PATIENCE_MS = 30 * 60_000;
const AGAIN_MS = 1_000;
/** The API may be restarted while a task goes on. */
const AWAY_MS = 60_000;
const ENDED = ['COMPLETED', 'FAILED', 'TERMINATED'];

export function smokeApi(url) {
  const call = async (method, path, body, { signal, headers = {} } = {}) => {
    const limit = AbortSignal.timeout(CALL_MS);
    try {
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
        ...(body && { body: JSON.stringify(body) }),
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
      const text = await answer.text();
      return { status: answer.status, body: parsed(text), text };
    } catch (error) {
      signal?.throwIfAborted();
      throw new Refusal(`Fermata does not answer at ${url} (${reason(error)}). Start it, or set API_URL.`, {
        cause: error,
      });
    }
  };
  /** An answer that is no success is a sentence. */
  const ask = async (method, path, body, options) => {
    const answer = await call(method, path, body, options);
    if (answer.status < 200 || answer.status > 299) {
      throw new Refusal(`${method} ${path} answers ${answer.status}: ${detailOf(answer)}`);
    }
    return answer.body;
  };
  /** Submits work and follows its task; a task that does not complete is a sentence. */
  const task = async (method, path, body, { signal, say }) => {
    const { task_id: id } = await ask(method, path, body, { signal });
    const end = await follow(id, { signal, say });
    if (end.status !== 'COMPLETED') {
      throw new Refusal(`Task ${id} (${end.operation}) ended ${end.status}: ${end.error ?? end.reason ?? 'no reason'}`);
    }
    return end;
  };
  const follow = async (id, { signal, say }) => {
    const giveUpAt = Date.now() + PATIENCE_MS;
    let answeredAt = Date.now();
    for (;;) {
      try {
        const seen = await ask('GET', `/api/v1/tasks/${id}`, undefined, { signal, headers: { prefer: 'wait=10' } });
        answeredAt = Date.now();
        if (ENDED.includes(seen.status)) return seen;
        say(wordsFor(url, seen));
      } catch (error) {
        signal.throwIfAborted();
        if (Date.now() - answeredAt > AWAY_MS) throw error;
      }
      if (Date.now() > giveUpAt) throw new Refusal(`Task ${id} has not ended after ${PATIENCE_MS / 60_000} minutes.`);
      await sleep(AGAIN_MS, undefined, { signal });
    }
  };
  return { url, call, ask, task };
}

function wordsFor(url, { task_id: id, operation, status, phase }) {
  if (status !== 'AWAITING_CONFIRMATION') return `${operation}: ${phase}`;
  const json = `-H 'content-type: application/json'`;
  return `${operation} holds for a decision: curl ${url}/api/v1/tasks/${id}/confirm ${json} -d '{"confirmed":true}'`;
}

function detailOf({ body, text }) {
  const detail = body?.detail ?? text;
  if (!Array.isArray(detail)) return String(detail).slice(0, 300);
  return detail.map(({ loc, msg }) => `${loc?.at(-1) ?? ''}: ${msg}`).join('; ');
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** fetch hides the reason in the cause, and several reasons in the cause's list. */
function reason(error) {
  const cause = error.cause?.errors?.[0] ?? error.cause ?? error;
  return cause.code ?? cause.message;
}
