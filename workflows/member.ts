// Makes one member ready, once for everybody who needs it: start, address, SSH, ready steps; and renews what runs out.
import {
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  patched,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { MemberLook, ReadyAnswer, ReadyWish } from '../domain/activity.ts';
import type { FailureDetails, FailureType } from '../domain/failures.ts';
import { failureText } from '../domain/failures.ts';
import { taskIdOf } from '../domain/task.ts';
import { attendSignal, readySignal } from './messages.ts';
import { looking, reaching, watching } from './options.ts';
import type { Refusal } from './start-machine.ts';
import { failureOf, startMachine } from './start-machine.ts';

export type ReadyInput = { readonly memberId: string };

/** Ends when nobody waits and nothing runs out. */
export async function readyMember({ memberId }: ReadyInput): Promise<void> {
  const asked = new Map<string, ReadyWish>();
  let renewAt: string | null = null;
  let troubles = 0;
  let served: readonly ReadyWish[] = [];
  setHandler(attendSignal, (wish) => {
    // Who waits for long asks again, in case its answer was lost: it is not to be served twice.
    if (!served.some((one) => isSame(one, wish))) asked.set(wish.asker, wish);
  });
  for (;;) {
    const wishes = [...asked.values()];
    asked.clear();
    served = wishes;
    const round = await makeReady(memberId, wishes);
    if (round.renewAt !== undefined) renewAt = round.renewAt;
    troubles = round.answer.ok ? 0 : troubles + 1;
    for (const { asker } of wishes) await tell(asker, round.answer);
    served = [];
    if (asked.size === 0 && workflowInfo().continueAsNewSuggested)
      await continueAsNew<typeof readyMember>({ memberId });
    if (asked.size > 0) continue;
    if (renewAt === null) return;
    await condition(() => asked.size > 0, Math.max(pauseAfter(troubles), Date.parse(renewAt) - Date.now()));
  }
}

/** How long after so many rounds in a row in which the member did not get ready, ms: a machine may be away for long. */
const pauseAfter = (troubles: number) => (troubles === 0 ? 1_000 : Math.min(15_000 * 2 ** (troubles - 1), 900_000));

/** Both came as the same JSON when they are the same. */
const isSame = (one: ReadyWish, other: ReadyWish) => JSON.stringify(one) === JSON.stringify(other);

/** Who asked may be gone by now. */
async function tell(asker: string, answer: ReadyAnswer): Promise<void> {
  try {
    await getExternalWorkflowHandle(asker).signal(readySignal, answer);
  } catch {
    return;
  }
}

interface Round {
  readonly answer: ReadyAnswer;
  /** When something that a ready step brought is to be renewed, ISO; undefined when that could not be asked. */
  readonly renewAt?: string | null;
}

/** `why` is the whole sentence, since whoever is told has no details to fill into it. */
const no = ({ type, why }: Refusal): Round => ({ answer: { ok: false, type, why }, renewAt: null });

/** The same for a machine that runs: what its steps brought is still to be renewed. `noted`: an event says why. */
async function notNow(memberId: string, refused: Refusal, noted: boolean): Promise<Round> {
  if (!patched('next-renewal')) return no(refused);
  const { nextRenewal } = proxyActivities<Activities>(looking);
  try {
    const { renewAt } = await nextRenewal({ memberId, why: noted ? null : refused.why });
    return { ...no(refused), renewAt };
  } catch (error) {
    const gone = failureOf(error).type === 'MemberNotFound';
    return gone ? no(refused) : { answer: no(refused).answer };
  }
}

const refusal = (type: FailureType, details: FailureDetails): Refusal => ({ type, why: failureText(type, details) });

const notReady = (name: string, why: string) => refusal('MemberNotReady', { name, why });

async function makeReady(memberId: string, wishes: readonly ReadyWish[]): Promise<Round> {
  try {
    const { look, refused } = await untilRunning(
      memberId,
      wishes.filter(({ start }) => start),
    );
    if (refused) return no(refused);
    const { dueReadySteps, markReady } = proxyActivities<Activities>(looking);
    const { reachMember, tidyMember } = proxyActivities<Activities>(reaching);
    const { performReadyStep } = proxyActivities<Activities>(watching);
    const { bootId } = await reachMember({ memberId });
    if (patched('tidy-member')) await tidyMember({ memberId, bootId });
    const provision = wishes.some((wish) => wish.provision?.length === 0)
      ? []
      : wishes.flatMap((wish) => wish.provision ?? []);
    const again = wishes.some((wish) => wish.provision !== undefined) ? provision : undefined;
    const flaws: string[] = [];
    for (const name of await dueReadySteps({ memberId, bootId, ...(again && { again }) })) {
      const { ok, required, why } = await performReadyStep({ memberId, name, bootId });
      const failed = `ready step ${name} failed: ${why ?? ''}`;
      if (!ok && required) return await notNow(memberId, notReady(look.name, failed), true);
      if (!ok) flaws.push(failed);
    }
    const note = flaws.length === 0 ? null : flaws.join('; ');
    const { renewAt } = await markReady({ memberId, bootId, note });
    return { answer: { ok: true, note }, renewAt };
  } catch (error) {
    return notNow(memberId, failureOf(error), false);
  }
}

/** How long between two looks at a machine on its way, ms. */
const LOOK_AGAIN_MS = 2_000;
/** GPU hosts may take many minutes to stop before they can be started. */
const PATIENCE_MS = 20 * 60_000;

async function untilRunning(
  memberId: string,
  starters: readonly ReadyWish[],
): Promise<{ readonly look: MemberLook; readonly refused?: Refusal }> {
  const { lookAtMember } = proxyActivities<Activities>(looking);
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const look = await lookAtMember({ memberId });
    const { name, state } = look;
    switch (state) {
      case null:
      case 'running':
        return { look };
      case 'terminated':
      case 'shutting-down':
        return { look, refused: refusal('MemberUnusable', { id: look.instanceId ?? name, state }) };
      case 'stopped': {
        const starter = await whoStillWants(starters);
        if (!starter) return { look, refused: refusal('MemberStopped', { name, state }) };
        const refused = await startMachine(look, starter.onBehalfOf ?? taskIdOf(starter.asker));
        if (refused) return { look, refused };
        break;
      }
      case 'stopping':
      case 'pending':
        if (Date.now() > giveUpAt) return { look, refused: notReady(name, `it stays ${state}.`) };
        await sleep(LOOK_AGAIN_MS);
    }
  }
}

/** Whoever asked may have been cancelled while the machine was on its way down: then nobody wants it started any more. */
async function whoStillWants(starters: readonly ReadyWish[]): Promise<ReadyWish | undefined> {
  if (starters.length === 0 || !patched('who-still-asks')) return starters[0];
  const { whoStillAsks } = proxyActivities<Activities>(looking);
  const { asker } = await whoStillAsks({ askers: starters.map((wish) => wish.asker) });
  return starters.find((wish) => wish.asker === asker);
}
