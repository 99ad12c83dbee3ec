// Makes one member ready, once for everybody who needs it: start, address, SSH, ready steps; and renews what runs out.
import {
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { MemberLook, ReadyAnswer, ReadyWish } from '../domain/activity.ts';
import { attendSignal, readySignal } from './messages.ts';
import { looking, reaching, watching } from './options.ts';
import { failureOf, startMachine } from './start-machine.ts';

export type ReadyInput = { readonly memberId: string };

/** Ends when nobody waits and nothing runs out. */
export async function readyMember({ memberId }: ReadyInput): Promise<void> {
  const asked = new Map<string, ReadyWish>();
  setHandler(attendSignal, (wish) => void asked.set(wish.asker, wish));
  for (;;) {
    const wishes = [...asked.values()];
    const { answer, renewAt } = await makeReady(memberId, wishes);
    for (const wish of wishes) {
      if (asked.get(wish.asker) === wish) asked.delete(wish.asker);
      await tell(wish.asker, answer);
    }
    if (asked.size === 0 && workflowInfo().continueAsNewSuggested)
      await continueAsNew<typeof readyMember>({ memberId });
    if (asked.size > 0) continue;
    if (renewAt === null) return;
    await condition(() => asked.size > 0, Math.max(1_000, Date.parse(renewAt) - Date.now()));
  }
}

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
  /** When something that a ready step brought runs out, ISO. */
  readonly renewAt: string | null;
}

const no = (type: Extract<ReadyAnswer, { ok: false }>['type'], why: string): Round => ({
  answer: { ok: false, type, why },
  renewAt: null,
});

async function makeReady(memberId: string, wishes: readonly ReadyWish[]): Promise<Round> {
  const starter = wishes.find(({ start }) => start);
  try {
    const { look, refusal } = await untilRunning(memberId, starter);
    if (refusal) return { answer: refusal, renewAt: null };
    const { dueReadySteps, markReady } = proxyActivities<Activities>(looking);
    const { reachMember } = proxyActivities<Activities>(reaching);
    const { performReadyStep } = proxyActivities<Activities>(watching);
    const { bootId } = await reachMember({ memberId });
    const provision = wishes.some((wish) => wish.provision?.length === 0)
      ? []
      : wishes.flatMap((wish) => wish.provision ?? []);
    const again = wishes.some((wish) => wish.provision !== undefined) ? provision : undefined;
    const flaws: string[] = [];
    for (const name of await dueReadySteps({ memberId, bootId, ...(again && { again }) })) {
      const { ok, required, why } = await performReadyStep({ memberId, name, bootId });
      if (!ok && required) return no('MemberNotReady', `${look.name}: ready step ${name} failed: ${why ?? ''}`);
      if (!ok) flaws.push(`ready step ${name} failed: ${why ?? ''}`);
    }
    const note = flaws.length === 0 ? null : flaws.join('; ');
    const { renewAt } = await markReady({ memberId, bootId, note });
    return { answer: { ok: true, note }, renewAt };
  } catch (error) {
    const { type, why } = failureOf(error);
    return no(type, why);
  }
}

/** How long between two looks at a machine on its way, ms. */
const LOOK_AGAIN_MS = 2_000;
/** GPU hosts may take many minutes to stop before they can be started. */
const PATIENCE_MS = 20 * 60_000;

async function untilRunning(
  memberId: string,
  starter: ReadyWish | undefined,
): Promise<{ readonly look: MemberLook; readonly refusal?: ReadyAnswer }> {
  const { lookAtMember } = proxyActivities<Activities>(looking);
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const look = await lookAtMember({ memberId });
    const refuse = (answer: Round) => ({ look, refusal: answer.answer });
    switch (look.state) {
      case null:
      case 'running':
        return { look };
      case 'terminated':
      case 'shutting-down':
        return refuse(no('MemberUnusable', `EC2 instance ${look.instanceId ?? ''} is ${look.state}`));
      case 'stopped': {
        if (!starter) return refuse(no('MemberStopped', `${look.name} is stopped, and nobody who may start it asked`));
        const failed = await startMachine(look, starter.asker);
        if (failed) return refuse(no(failed.type, failed.why));
        break;
      }
      case 'stopping':
      case 'pending':
        if (Date.now() > giveUpAt) return refuse(no('MemberNotReady', `${look.name} stays ${look.state}`));
        await sleep(LOOK_AGAIN_MS);
    }
  }
}
