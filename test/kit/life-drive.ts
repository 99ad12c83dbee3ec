// Plays one life on its machine of the sandbox, by the API, the console of the cloud and the sandbox's control, and notes what is true.
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { StartInstancesCommand, StopInstancesCommand } from '@aws-sdk/client-ec2';
import { z } from 'zod';
import { hostOf, homeOf } from './hosts.ts';
import type { Life, Stretch } from './life-plan.ts';
import type { Situation } from './life-truth.ts';
import { CALM, Truth } from './life-truth.ts';
import { ask, ended, run } from './members.ts';
import type { System } from './system.ts';
import { until } from './until.ts';

const LOOK_MS = 400;
/** After so long without an answer a client has given up a frozen link, and the next trouble meets new ones only. */
const LINKS_GONE_MS = 25_000;
const BEGINS_MS = 120_000;

/** The instances of all lives by their state, asked for together. */
export type States = ReadonlyMap<string, string>;

export class Machine {
  readonly life: Life;
  readonly truth = new Truth();
  readonly memberId: string;
  readonly instanceId: string;
  readonly #system: System;
  readonly #states: States;
  #commands = 0;
  #command: { readonly taskId: string; readonly number: number } | undefined;

  constructor(system: System, life: Life, ids: { memberId: string; instanceId: string; states: States }) {
    this.#system = system;
    this.life = life;
    this.memberId = ids.memberId;
    this.instanceId = ids.instanceId;
    this.#states = ids.states;
  }

  /** Plays all stretches, then waits, at most `restMs`, for the stop of what runs and is idle for good. */
  async play(restMs: number): Promise<void> {
    this.truth.settled(CALM);
    for (const stretch of this.life.stretches) await this.#stretch(stretch);
    if (!this.#isUp()) {
      this.truth.unsettled();
      await this.#wake();
      this.truth.settled(CALM);
    }
    const restUntil = Date.now() + restMs;
    while (this.#isUp() && Date.now() < restUntil) await pause(LOOK_MS);
    if (this.#isUp()) this.truth.lost.push(`${this.life.name}: still runs ${restMs} ms after its last use`);
  }

  async #stretch(stretch: Stretch): Promise<void> {
    const { truth } = this;
    const { work, blind, console, touched, jumpMs, snoozeMin } = stretch;
    const situation = { work, blind };
    const changes = work ?? blind ?? console;
    if (changes !== null || touched || jumpMs !== 0 || snoozeMin > 0) truth.unsettled();
    if (console !== null) await this.#atConsole(console);
    if (touched) await this.#touch();
    if (work !== null && work !== 'command') await this.#wake();
    if (jumpMs !== 0) await this.#jump(jumpMs);
    if (snoozeMin > 0) await this.#snooze(snoozeMin);
    await this.#begin(situation);
    if (truth.isUnsettled) truth.settled(situation);
    await this.#hold(stretch);
    if (changes === null) return;
    truth.unsettled();
    await this.#end(situation);
    truth.settled(CALM);
  }

  /** Lets the stretch last; who works on a machine that is gone starts it again. */
  async #hold({ seconds, work, blind }: Stretch): Promise<void> {
    const began = Date.now();
    let deepened = blind !== 'hang' && blind !== 'refuse';
    while (Date.now() - began < seconds * 1000) {
      await pause(LOOK_MS);
      if (!deepened && Date.now() - began > LINKS_GONE_MS) {
        await this.#ssh(blind === 'hang' ? 'hang' : 'refuse');
        deepened = true;
      }
      if (work === null || work === 'command' || this.#isUp()) continue;
      this.truth.unsettled();
      await this.#see({ work: null, blind });
      await this.#wake();
      await this.#begin({ work, blind });
      deepened = true;
      this.truth.settled({ work, blind });
    }
  }

  async #begin(situation: Situation): Promise<void> {
    if (situation.work === 'command') await this.#launch();
    await this.#show(situation);
    if (['freeze', 'hang', 'refuse'].includes(situation.blind ?? '')) await this.#ssh('freeze');
  }

  async #end(situation: Situation): Promise<void> {
    await this.#see(situation);
    await this.#show(CALM);
    if (situation.work === 'command') await this.#release();
  }

  /** Ends what keeps looks from the machine. */
  async #see({ blind }: Situation): Promise<void> {
    if (blind !== null) await this.#ssh('ok');
  }

  /** What the driver of GPUs, the owner's command and `who` say from now on. */
  async #show({ work, blind }: Situation): Promise<void> {
    const at = `instances/${this.instanceId}`;
    if (this.life.type === 'g4dn.xlarge') {
      const busy = work === 'gpu' ? { mode: 'busy', utilization: [64], apps: [4242] } : { mode: 'idle' };
      const held = work === 'context' ? { memory_used_mb: [2_000], apps: [4242] } : {};
      const trouble = blind === 'gpu_hang' ? { mode: 'hang' } : blind === 'gpu_garbage' ? { mode: 'garbage' } : {};
      await this.#system.cloud.control(`${at}/gpu`, { ...busy, ...held, ...trouble });
    }
    await this.#system.cloud.control(`${at}/login`, { logins: work === 'login' ? 1 : 0 });
    this.say(blind === 'custom_silent' ? '' : work === 'custom' ? 'busy' : 'idle');
  }

  /** What the owner's command prints; renamed into place, so that no look reads half of it. */
  say(words: string): void {
    const path = join(homeOf(this.#system, this.instanceId), 'activity');
    writeFileSync(`${path}.part`, words);
    renameSync(`${path}.part`, path);
  }

  #ssh(mode: 'ok' | 'freeze' | 'hang' | 'refuse'): Promise<void> {
    return this.#system.cloud.control(`instances/${this.instanceId}/ssh`, { mode });
  }

  /** A command that works until it is let go; the machine is started for it. */
  async #launch(): Promise<void> {
    const number = (this.#commands += 1);
    const command = `touch ~/began-${number}; until [ -e ~/free-${number} ]; do sleep 0.5; done; echo done`;
    const body = { command, timeout_s: 900, silence_timeout_s: 900 };
    this.#command = { taskId: await ask(this.#system, this.memberId, 'commands', body), number };
    await until(`${this.life.name} works`, () => existsSync(this.#path(`began-${number}`)), BEGINS_MS);
  }

  async #release(): Promise<void> {
    if (!this.#command) return;
    const { taskId, number } = this.#command;
    writeFileSync(this.#path(`free-${number}`), '');
    const { status, error, result } = await ended(this.#system, taskId, BEGINS_MS);
    if (status !== 'COMPLETED' || result?.['stdout'] !== 'done\n') {
      this.truth.lost.push(
        `${this.life.name}: its command ${taskId} ended ${status}: ${error ?? JSON.stringify(result)}`,
      );
    }
  }

  async #touch(): Promise<void> {
    const { status, error } = await run(this.#system, this.memberId, 'true');
    this.truth.touches.push(Date.now());
    if (status !== 'COMPLETED') this.truth.lost.push(`${this.life.name}: a command ended ${status}: ${error ?? ''}`);
  }

  async #snooze(minutes: number): Promise<void> {
    const fromMs = Date.now();
    const { body } = await this.#system.api.call('POST', `/api/v1/members/${this.memberId}/snooze`, { minutes });
    const { snoozed_until } = z.looseObject({ snoozed_until: z.string() }).parse(body);
    this.truth.snoozes.push({ fromMs, untilMs: Date.parse(snoozed_until) });
  }

  /** What a clock that jumps between two looks leaves: the time of the look before seems to be another one. */
  async #jump(byMs: number): Promise<void> {
    const shifted = (name: string) =>
      `jsonb_build_object('${name}', to_char((clocks->>'${name}')::timestamptz at time zone 'UTC' - $2::interval, ` +
      `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`;
    await this.#system.db.query(
      `update members set clocks = clocks || ${shifted('judgedAt')} ||
         case when clocks->>'uptimeAt' is null then '{}'::jsonb else ${shifted('uptimeAt')} end
       where id = $1 and clocks is not null`,
      [this.memberId, `${byMs} milliseconds`],
    );
  }

  async #atConsole(what: 'stop' | 'restart'): Promise<void> {
    const { ec2 } = this.#system.cloud;
    // The policy may be about to stop it too, and EC2 takes a stop of what stops already.
    if (this.#isUp()) await ec2.send(new StopInstancesCommand({ InstanceIds: [this.instanceId] }));
    await until(`${this.life.name} is stopped`, () => this.#states.get(this.instanceId) === 'stopped');
    if (what === 'restart') await this.#wake();
  }

  /** Starts it where it does not run, and waits until it greets. */
  async #wake(): Promise<void> {
    await until(`${this.life.name} runs`, async () => {
      const state = await this.#system.cloud.stateOf(this.instanceId);
      if (state === 'running') return true;
      if (state === 'stopped') {
        await this.#system.cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [this.instanceId] }));
      }
      return false;
    });
    const { host, port } = await hostOf(this.#system, this.instanceId);
    await until(`${this.life.name} greets`, () => greets(host, port));
  }

  #isUp(): boolean {
    return ['running', 'pending'].includes(this.#states.get(this.instanceId) ?? '');
  }

  #path(name: string): string {
    return join(homeOf(this.#system, this.instanceId), name);
  }
}

function greets(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 });
    const end = (does: boolean) => () => {
      socket.destroy();
      resolve(does);
    };
    socket.once('data', end(true)).once('error', end(false)).once('timeout', end(false)).once('close', end(false));
  });
}
