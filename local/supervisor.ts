// Keeps a program running: one that ends is started again after a pause that grows, and somebody is told.
import { setTimeout as sleep } from 'node:timers/promises';
import { capLog, tailOf } from './log-file.ts';
import { Refusal } from './refusal.ts';
import { startProgram, type Program, type Running } from './program.ts';

export interface Patience {
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** Lived this long after it was ready: the next pause is the first one again. */
  readonly calmMs: number;
  /** Endings before it was ever ready, after which it is given up. */
  readonly attempts: number;
  /** How long the first start may take. */
  readonly startMs: number;
}

const PATIENCE: Patience = { firstPauseMs: 200, longestPauseMs: 30_000, calmMs: 10_000, attempts: 5, startMs: 60_000 };
const CAP_MS = 30_000;

/** The sentence that a person gets when a part cannot be started at all. */
class StartFailure extends Refusal {
  constructor(program: Program, how: string) {
    super(`${program.name} does not start: it ${how}. The end of ${program.log}:\n${tailOf(program.log)}`);
  }
}

export class Supervisor {
  readonly #program: Program;
  readonly #say: (line: string) => void;
  readonly #patience: Patience;
  readonly #stopping = new AbortController();
  #running: Running | undefined;
  #loop: Promise<void> | undefined;
  #graceMs = 0;

  constructor(program: Program, say: (line: string) => void, patience: Partial<Patience> = {}) {
    this.#program = program;
    this.#say = say;
    this.#patience = { ...PATIENCE, ...patience };
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** Answers what `ready` of the program gave at its first start. */
  start(): Promise<unknown> {
    const { startMs } = this.#patience;
    return new Promise((resolve, reject) => {
      const fail = () => reject(new StartFailure(this.#program, `was not ready in ${startMs / 1000} s`));
      const late = setTimeout(fail, startMs);
      const ready = (message: unknown) => {
        clearTimeout(late);
        resolve(message);
      };
      const capping = setInterval(() => capLog(this.#program.log), CAP_MS);
      this.#loop = this.#keep(ready, reject).finally(() => {
        clearTimeout(late);
        clearInterval(capping);
        reject(new Error(`${this.#program.name} was stopped`));
      });
    });
  }

  async stop(graceMs: number): Promise<void> {
    this.#graceMs = graceMs;
    this.#stopping.abort();
    await this.#running?.stop(graceMs);
    await this.#loop;
  }

  async #keep(resolve: (message: unknown) => void, reject: (error: Error) => void): Promise<void> {
    const { firstPauseMs, longestPauseMs, calmMs, attempts } = this.#patience;
    const { name, log } = this.#program;
    const { signal } = this.#stopping;
    let pauseMs = firstPauseMs;
    let isFirst = true;
    for (let failures = 0; !signal.aborted;) {
      let readyAt = Infinity;
      const how = await this.#runOnce((message) => {
        readyAt = Date.now();
        if (!isFirst) this.#say(`${name} is back`);
        isFirst = false;
        resolve(message);
      });
      if (signal.aborted) return;
      if (isFirst && ++failures >= attempts) return reject(new StartFailure(this.#program, how));
      if (Date.now() - readyAt > calmMs) pauseMs = firstPauseMs;
      if (!isFirst) this.#say(`${name} ${how}; it is started again in ${pauseMs / 1000} s (log: ${log})`);
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  }

  /** Answers how it ended, in words. */
  async #runOnce(onReady: (message: unknown) => void): Promise<string> {
    try {
      const running = await startProgram(this.#program);
      this.#running = running;
      if (this.#stopping.signal.aborted) await running.stop(this.#graceMs);
      running.ready.then(onReady, () => undefined);
      const { code, signal } = await running.ended;
      return signal ? `was ended by ${signal}` : `ended with code ${code}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      this.#running = undefined;
    }
  }
}
