// Running a command, or an agent with a prompt, on a member.
import { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import type { Instance } from '../domain/instance.ts';
import type { PlanDraft, StepOutcome } from '../domain/plan.ts';
import type { JsonObject } from '../domain/task.ts';
import { GETS_READY_MS, memberOf, memberRef, needsOf, startRule, startWords } from './member.ts';
import type { MemberSeen } from './operation.ts';
import { changeOperation } from './operation.ts';

const LONGEST_COMMAND_BYTES = 8_192;
/** What of each stream goes into the answer: a history and a row have to carry it. */
const SHOWN_BYTES = 32_768;

/** The name of a variable. */
export const envName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'Input should be the name of a variable');
/** A path on a machine. */
export const path = z
  .string()
  .min(1)
  .max(1_024)
  .regex(/^[^\n\r]+$/);
/** Where the worker finds a secret. */
export const secretRef = z.union([
  z.strictObject({ env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/) }),
  z.strictObject({ file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/) }),
  z.strictObject({ command: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/) }),
]);

const commandFields = {
  member: memberRef,
  run_from: path.optional(),
  /** Seconds in all, and seconds without output. */
  timeout_s: z.int().min(1).max(86_400).default(600),
  silence_timeout_s: z.int().min(1).max(86_400).default(120),
  env: z.record(envName, z.string().max(8_192)).default({}),
  secrets: z.record(envName, secretRef).default({}),
  start: startRule,
};

/** What a shell is given. */
export const command = z
  .string()
  .min(1)
  .refine((text) => new TextEncoder().encode(text).length <= LONGEST_COMMAND_BYTES, {
    message: `Input should be at most ${LONGEST_COMMAND_BYTES} bytes`,
  });

const runParams = z.strictObject({ ...commandFields, command, stdin: z.string().max(49_152).optional() });
const promptParams = z.strictObject({
  ...commandFields,
  agent: z.string().min(1).max(64),
  prompt: z.string().min(1).max(49_152),
});
type CommandParams = Omit<z.output<typeof runParams>, 'command' | 'stdin'>;

/** Time for the machine to get ready, to run, and for the end to be seen. */
const deadlineMs = (timeoutS: number) => GETS_READY_MS + (timeoutS + 60) * 1000;

function planned(
  member: MemberSeen,
  instance: Instance | undefined,
  params: CommandParams,
  run: { readonly command: string; readonly stdin: string | undefined; readonly says: string },
): PlanDraft {
  const { settings, target, id } = member;
  return {
    needs: needsOf(member, instance, params.start),
    steps: [
      {
        id: 'command',
        batch: 0,
        call: 'run_command',
        target,
        args: {
          member: id,
          command: run.command,
          stdin: run.stdin ?? null,
          cwd: folderOf(settings.workFolder, params.run_from),
          timeout_s: params.timeout_s,
          silence_s: params.silence_timeout_s,
          shown_bytes: SHOWN_BYTES,
          env: params.env,
          secrets: params.secrets,
        },
        saw: {},
        says: run.says,
        undo: { none: 'what a command did cannot be taken back' },
        estimatedSeconds: params.timeout_s,
      },
    ],
    says: `${startWords(instance)}${run.says}.`,
    costUsdPerHour: null,
    facts: { member: settings.name },
  };
}

/** A relative folder is one in the work folder. */
export function folderOf(workFolder: string, runFrom: string | undefined): string {
  if (runFrom === undefined) return workFolder;
  return runFrom.startsWith('/') ? runFrom : `${workFolder}/${runFrom}`;
}

function resultOf(ref: string, outcomes: readonly StepOutcome[], facts: JsonObject): JsonObject {
  const seen = outcomes.find(({ stepId }) => stepId === 'command')?.seen ?? {};
  return { status: 'FINISHED', member: facts.member ?? ref, ...seen };
}

export const runCommand = changeOperation({
  name: 'run_command',
  description: 'Run a command on a member, starting its machine if it is stopped',
  effect: 'change',
  params: runParams,
  reads: ({ member }) => ({ kind: 'member', ref: member }),
  deadlineMs: ({ timeout_s }) => deadlineMs(timeout_s),
  plan: (params, [instance], context) => {
    const member = memberOf(context, params.member);
    const says = `run on ${member.settings.name}: ${params.command}`;
    return planned(member, instance, params, { command: params.command, stdin: params.stdin, says });
  },
  result: ({ member }, { outcomes, facts }) => resultOf(member, outcomes, facts),
});

export const executePrompt = changeOperation({
  name: 'execute_prompt',
  description: 'Give a prompt to an agent program on a member',
  effect: 'change',
  params: promptParams,
  reads: ({ member }) => ({ kind: 'member', ref: member }),
  deadlineMs: ({ timeout_s }) => deadlineMs(timeout_s),
  plan: (params, [instance], context) => {
    const member = memberOf(context, params.member);
    const agent = Object.hasOwn(context.agents, params.agent) ? context.agents[params.agent] : undefined;
    if (!agent) {
      const known = Object.keys(context.agents).join(', ') || 'none';
      throw new Failure('PlanRefused', { why: `config.json has no agent '${params.agent}'; it has: ${known}.` });
    }
    const says = `give ${params.agent} on ${member.settings.name} a prompt of ${params.prompt.length} characters`;
    return planned(member, instance, params, { command: agent.command, stdin: params.prompt, says });
  },
  result: ({ member }, { outcomes, facts }) => resultOf(member, outcomes, facts),
});
