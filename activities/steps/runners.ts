// Which runner performs which call: the one place to add a call that steps can make.
import { regionOf } from '../../domain/instance.ts';
import type { Step } from '../../domain/plan.ts';
import type { JobParts } from '../job-machine.ts';
import { undoBeforeStop } from '../ready-undo.ts';
import { useOf } from '../use-of.ts';
import { commandRunner } from './command.ts';
import { forgetRunner } from './forget.ts';
import { getRunner } from './get-file.ts';
import { startRunner, stopRunner } from './power.ts';
import { putRunner } from './put-file.ts';
import { rebootRunner } from './reboot.ts';
import type { StepRunner } from './runner.ts';
import { startJobRunner } from './start-job.ts';
import { tagRunner } from './tag.ts';
import { terminateRunner } from './terminate.ts';

const CLOUD_RUNNERS = {
  start_instance: startRunner,
  reboot_instance: rebootRunner,
  terminate_instance: terminateRunner,
  set_tag: tagRunner,
} as const;

/** The runner of a step, on the cloud or the member that it is about. */
export function runnerOf(parts: JobParts, taskId: string, step: Step): StepRunner {
  const { call } = step;
  switch (call) {
    case 'run_command':
      return commandRunner(parts, taskId);
    case 'stop_instance':
      return stopRunner(ec2Of(parts, step), {
        inUse: (stop) => useOf(parts, stop),
        prepare: (stop, signal) => undoBeforeStop(parts, stop, signal),
      });
    case 'forget_member':
      return forgetRunner(parts);
    case 'put_file':
      return putRunner(parts, taskId);
    case 'get_file':
      return getRunner(parts, taskId);
    case 'start_job':
      return startJobRunner(parts, taskId);
    default:
      return CLOUD_RUNNERS[call](ec2Of(parts, step));
  }
}

function ec2Of({ clouds }: JobParts, { target, args }: Step) {
  return clouds.of(regionOf(target), typeof args.profile === 'string' ? args.profile : null);
}
