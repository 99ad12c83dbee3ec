// Says whether a process lives, when it began and with which command line, so that a reused process id deceives nobody.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Undefined for a process that is gone or only waits to be reaped. `started` differs between two bearers of one id. */
export function describeProcess(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  try {
    if (process.platform === 'linux') return fromProc(pid);
    return process.platform === 'win32' ? fromPowershell(pid) : fromPs(pid);
  } catch {
    return undefined;
  }
}

function fromProc(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may hold spaces and brackets itself, so fields are counted from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  return { started: `${boot}/${fields[19]}`, command };
}

function fromPs(pid) {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  const args = ['-ww', '-o', 'stat=', '-o', 'lstart=', '-o', 'command=', '-p', String(pid)];
  const out = execFileSync('ps', args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] });
  const found = /^(\S+)\s+(\w+\s+\w+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/.exec(out.trim());
  return found === null || found[1].startsWith('Z') ? undefined : { started: found[2], command: found[3] };
}

function fromPowershell(pid) {
  const script = `$p = Get-CimInstance Win32_Process -Filter "ProcessId=${pid}"; "$($p.CreationDate.Ticks)|$($p.CommandLine)"`;
  const out = execFileSync('powershell', ['-NoProfile', '-Command', script], { encoding: 'utf8', windowsHide: true });
  const [started, ...command] = out.trim().split('|');
  return started === '' ? undefined : { started, command: command.join('|') };
}
