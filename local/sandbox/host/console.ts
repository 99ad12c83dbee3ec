// The boot log that GetConsoleOutput shows, with the host key as cloud-init prints it.
import { fingerprint } from './keys.ts';

export function bootLog(name: string, publicKey: string, bootedAt: Date): string {
  const stamp = bootedAt.toUTCString();
  const rule = 'ec2: #############################################################';
  return [
    '[    0.000000] Linux version 6.1.0-cloud-amd64',
    `[    4.512000] cloud-init[612]: Cloud-init v. 24.1 running 'modules:final' at ${stamp}. Up 4.51 seconds.`,
    'ec2: ',
    rule,
    'ec2: -----BEGIN SSH HOST KEY FINGERPRINTS-----',
    `ec2: 256 ${fingerprint(publicKey)} root@${name} (ED25519)`,
    'ec2: -----END SSH HOST KEY FINGERPRINTS-----',
    rule,
    '-----BEGIN SSH HOST KEY KEYS-----',
    publicKey,
    '-----END SSH HOST KEY KEYS-----',
    `[    5.020000] cloud-init[640]: Cloud-init v. 24.1 finished at ${stamp}. Up 5.02 seconds`,
    '',
    `${name} login: `,
  ].join('\r\n');
}
