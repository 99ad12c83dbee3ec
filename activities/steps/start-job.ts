// Accepting a job: the start of its workflow is the commit, its row follows.
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { reaching } from '../../clients/postgres.ts';
import type { NewJobInput } from '../../domain/activity.ts';
import { Failure } from '../../domain/failures.ts';
import type { JobSpec } from '../../domain/job.ts';
import { isJobSpec, jobIdOf } from '../../domain/job.ts';
import type { Step } from '../../domain/plan.ts';
import { findJobs, insertJob, jobById } from '../../store/jobs.ts';
import { memberById } from '../../store/members.ts';
import { findTask } from '../../store/tasks.ts';
import type { JobParts } from '../job-machine.ts';
import { memberIdOf } from './forget.ts';
import type { StepRunner } from './runner.ts';

function specOf({ args: { spec } }: Step): JobSpec {
  if (isJobSpec(spec)) return spec;
  throw new Failure('PlanRefused', { why: 'the step is not that of a job' });
}

export function startJobRunner({ postgres, workflows, taskQueue }: JobParts, taskId: string): StepRunner {
  const id = jobIdOf(taskId);
  return {
    indifferent: false,
    look: async () => {
      const row = await reaching(jobById(postgres.db, id));
      return { verdict: row ? 'as_wanted' : 'as_planned', seen: { job_id: id } };
    },
    act: async (step) => {
      const spec = specOf(step);
      const member = await reaching(memberById(postgres.db, memberIdOf(step)));
      if (!member) throw new Failure('MemberNotFound', { ref: memberIdOf(step) });
      const { tenant } = member;
      const found = await reaching(findJobs(postgres.db, tenant, spec.dependsOn));
      const unknown = spec.dependsOn.find((needed) => found.every((row) => row.id !== needed));
      if (unknown !== undefined) throw new Failure('JobNotFound', { id: unknown });
      const task = await reaching(findTask(postgres.db, tenant, taskId));
      const by = task?.row.requestedBy ?? 'temporal';
      const job: NewJobInput = { id, tenant, memberId: member.id, taskId, by, spec };
      try {
        await workflows.start('runJob', {
          workflowId: id,
          taskQueue,
          args: [{ job }],
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          staticSummary: step.says.slice(0, 120),
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
      await reaching(insertJob(postgres.db, job));
    },
  };
}
