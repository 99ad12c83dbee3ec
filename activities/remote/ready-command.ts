// Turns a ready step into what is sent to the machine.
import type { ReadyStep } from '../../domain/ready.ts';
import { VARIABLE_LINE } from '../../domain/ready.ts';
import type { RemoteCall } from './wire.ts';
import { demandText, remoteCall } from './wire.ts';

/** The call of a step; the values of its secrets go over standard input. Throws `InvalidRequest` for what no shell can hold. */
export function readyCommand(script: string, step: ReadyStep, secrets: Readonly<Record<string, string>>): RemoteCall {
  const { kind, name, command, path, mode, verify } = step;
  const variables = Object.entries(secrets);
  const content = {
    exec: undefined,
    http: undefined,
    put_file: step.content,
    secret_file: variables[0]?.[1],
    env: [...linesOf(step.content), ...variables].map(shellLine).join(''),
  }[kind];
  const fields = { name, command, content, path, mode, verify };
  const args = Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
  const env = kind === 'exec' ? variables.map(([key, value]) => ['env', `${key}=${value}`] as const) : [];
  for (const [key, value] of [...args, ...env]) demandText(value, key);
  return remoteCall(script, kind, [...args, ...env]);
}

/** The call that removes the variables of every step but these. */
export function keepVariablesCommand(script: string, names: readonly string[]): RemoteCall {
  return remoteCall(script, 'keep', [['keep', names.join(' ')]]);
}

/** `NAME=value` lines; what is no such line is left out. */
function linesOf(content = ''): (readonly [string, string])[] {
  return content.split('\n').flatMap((line) => {
    const [, name, value] = VARIABLE_LINE.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
}

/** A line that a shell reads back as this very value. */
function shellLine([name, value]: readonly [string, string]): string {
  return `export ${name}='${value.replaceAll("'", "'\\''")}'\n`;
}
