// What a person is told about a running Fermata: the table of addresses, three commands to try, since when and where.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { shortPath } from './settings.mjs';

export function addressTable(addresses, dataDir) {
  const { api, temporal, database, sandbox } = addresses;
  const shownDir = shortPath(dataDir);
  const rows = [
    ['API', `${api}   (docs: ${api}/docs)`],
    ['Temporal', `${temporal.ui ? `${temporal.ui}   ` : ''}${temporal.address}, namespace ${temporal.namespace}`],
    ['Database', `${withoutPassword(database)}   (password: ${shownDir}/addresses.json)`],
    ...(sandbox ? [['Sandbox', `EC2 at ${sandbox.ec2}   effects: ${shortPath(sandbox.effects)}`]] : []),
    ['Data', `${shownDir}   logs: ${shownDir}/logs`],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(10)}${value}`).join('\n');
}

/** The terminal may be shared, recorded or scrolled back. */
function withoutPassword(database) {
  if (!URL.canParse(database)) return 'as in DATABASE_URL';
  const url = new URL(database);
  if (url.password) url.password = '***';
  return url.href;
}

/** As they are: each can be pasted into a shell, the second knows the task of the first. */
export function commandsToTry({ api, sandbox }, approvalSeconds) {
  if (!sandbox) return `Try:\n  curl -s ${api}/api/v1/operations`;
  const body = '{"operation":"delete_instance","resource":"dev","params":{"instance_id":"vm-dev-01"}}';
  const json = "-H 'content-type: application/json'";
  const takeId = String.raw`tee /dev/stderr | sed -E 's/.*"task_id":"([^"]+)".*/\1/'`;
  return [
    'Try:',
    '  1. submit a delete; it holds for a decision',
    `     TASK=$(curl -s ${api}/api/v1/tasks ${json} -d '${body}' | ${takeId})`,
    `  2. approve it, within ${approvalSeconds} s`,
    `     curl -s ${api}/api/v1/tasks/$TASK/confirm ${json} -d '{"confirmed":true}'`,
    '  3. see it gone',
    `     curl -s ${api}/api/v1/tasks/$TASK`,
  ].join('\n');
}

/** `holder` is what the launcher left in its lock. */
export function describeRunning(holder, dataDir) {
  const since = `${holder.since.slice(0, 19).replace('T', ' ')} UTC`;
  const head = `Fermata is ${holder.state ?? 'running'} in ${shortPath(dataDir)} since ${since} (process ${holder.pid})`;
  const addresses = holder.state === 'running' ? readAddresses(dataDir) : undefined;
  return addresses ? `${head}\n\n${addressTable(addresses, dataDir)}` : `${head}, port ${holder.port}`;
}

function readAddresses(dataDir) {
  try {
    return JSON.parse(readFileSync(join(dataDir, 'addresses.json'), 'utf8'));
  } catch {
    return undefined;
  }
}
