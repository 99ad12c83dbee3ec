// Which change of status is legal, and what a task id looks like.
import fc from 'fast-check';
import type { TaskStatus } from '../../domain/task.ts';
import { isLegal, isTaskId, isTerminal, TASK_STATUSES, taskIdOf, workflowIdOf } from '../../domain/task.ts';
import { TASK_ID } from './values.ts';

const LEGAL: readonly (readonly [TaskStatus, TaskStatus])[] = [
  ['PENDING', 'AWAITING_CONFIRMATION'],
  ['PENDING', 'RUNNING'],
  ['PENDING', 'TERMINATED'],
  ['PENDING', 'FAILED'],
  ['AWAITING_CONFIRMATION', 'RUNNING'],
  ['AWAITING_CONFIRMATION', 'TERMINATED'],
  ['AWAITING_CONFIRMATION', 'FAILED'],
  ['RUNNING', 'RUNNING'],
  ['RUNNING', 'COMPLETED'],
  ['RUNNING', 'TERMINATED'],
  ['RUNNING', 'FAILED'],
];

test.each(TASK_STATUSES.flatMap((from) => TASK_STATUSES.map((to) => [from, to] as const)))(
  '%s to %s is legal exactly when the table has it',
  (from, to) => {
    expect(isLegal(from, to)).toBe(LEGAL.some(([a, b]) => a === from && b === to));
  },
);

test('there are the six statuses of the contract, and three of them are final', () => {
  expect(TASK_STATUSES).toEqual(['PENDING', 'AWAITING_CONFIRMATION', 'RUNNING', 'COMPLETED', 'TERMINATED', 'FAILED']);
  expect(TASK_STATUSES.filter(isTerminal)).toEqual(['COMPLETED', 'TERMINATED', 'FAILED']);
});

test('no walk along legal changes leaves a final status or completes what did not run', () => {
  const walk = fc.array(fc.constantFrom(...TASK_STATUSES), { maxLength: 12 });
  fc.assert(
    fc.property(walk, (wanted) => {
      const seen: TaskStatus[] = ['PENDING'];
      for (const to of wanted) {
        const from = seen.at(-1) ?? 'PENDING';
        if (isLegal(from, to)) seen.push(to);
      }
      expect(seen.slice(0, -1).some(isTerminal)).toBe(false);
      if (seen.includes('COMPLETED')) expect(seen.at(-2)).toBe('RUNNING');
    }),
  );
});

test.each([
  [TASK_ID, true],
  [TASK_ID.toUpperCase(), false],
  [`${TASK_ID}\n`, false],
  [` ${TASK_ID}`, false],
  [TASK_ID.replaceAll('-', ''), false],
  [`${TASK_ID}0`, false],
  ['', false],
  ['../../etc', false],
])('%j is a task id: %s', (text, expected) => {
  expect(isTaskId(text)).toBe(expected);
  expect(taskIdOf(workflowIdOf(text))).toBe(expected ? text : undefined);
});

test('a workflow id leads back to its task, and no other text is one', () => {
  fc.assert(fc.property(fc.uuid(), (id) => expect(taskIdOf(workflowIdOf(id))).toBe(id)));
  fc.assert(fc.property(fc.string(), (text) => expect(taskIdOf(text)).toBeUndefined()));
  expect(taskIdOf(TASK_ID)).toBeUndefined();
  expect(taskIdOf(`Task-${TASK_ID}`)).toBeUndefined();
});
