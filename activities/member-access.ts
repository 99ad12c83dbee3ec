// How a member is reached: its row, its instance in the cloud, its address by SSH, and the host keys it must show.
import type { Clouds } from '../clients/ec2.ts';
import type { Postgres } from '../clients/postgres.ts';
import { reaching } from '../clients/postgres.ts';
import type { Secrets } from '../clients/secrets.ts';
import type { Ssh, SshAddress } from '../clients/ssh/index.ts';
import { fingerprintsIn } from '../clients/ssh/index.ts';
import { Failure } from '../domain/failures.ts';
import type { Instance } from '../domain/instance.ts';
import type { MemberSettings } from '../domain/member.ts';
import type { Policy } from '../domain/policy.ts';
import { usdPerHour } from '../domain/prices.ts';
import type { MemberRow } from '../store/members.ts';
import { noteMember, noteOnce } from '../store/member-events.ts';
import { observeMember, pinHostKeys } from '../store/member-observed.ts';
import { memberById } from '../store/members.ts';

export interface MemberParts {
  readonly clouds: Clouds;
  readonly postgres: Postgres;
  readonly ssh: Ssh;
  readonly secrets: Secrets;
  readonly policy: Pick<Policy, 'prices'>;
}

const SCAN_MS = 10_000;
/** Where a machine is that does not answer is looked up no more often than this. */
const LOOK_AGAIN_MS = 15_000;

/** The row of a member. Throws `MemberNotFound` when it was removed meanwhile. */
export async function memberRow({ postgres }: Pick<MemberParts, 'postgres'>, memberId: string): Promise<MemberRow> {
  const row = await reaching(memberById(postgres.db, memberId));
  if (!row) throw new Failure('MemberNotFound', { ref: memberId });
  return row;
}

/** The instance of a member as the cloud shows it; undefined when it is gone, or the member is no cloud machine. */
export async function instanceOfMember(
  { clouds }: Pick<MemberParts, 'clouds'>,
  { cloud }: Pick<MemberSettings, 'cloud'>,
  signal?: AbortSignal,
): Promise<Instance | undefined> {
  if (!cloud) return undefined;
  const ec2 = clouds.of(cloud.region, cloud.profile);
  const [instance] = await ec2.find({ kind: 'one', ref: cloud.instanceId }, signal ? { signal } : {});
  return instance;
}

/** Looks at a member's instance and keeps what was seen: state, address, and the transition in the cost ledger. */
export async function lookAt(parts: MemberParts, row: MemberRow, signal?: AbortSignal): Promise<MemberRow> {
  const instance = await instanceOfMember(parts, row.settings, signal);
  return instance ? keepLook(parts, row, instance) : row;
}

/** Keeps what a look at a member's instance showed. */
export async function keepLook(parts: MemberParts, row: MemberRow, instance: Instance): Promise<MemberRow> {
  const rate = usdPerHour([instance.type], parts.policy.prices);
  return reaching(parts.postgres.transaction((db) => observeMember(db, row, instance, rate)));
}

/**
 * Where and how a member is reached. Throws `MemberNotReady` without an address, `NoHostKey` when nothing says which
 * host key is its own, and `SecretUnavailable`.
 */
export async function addressOf(parts: MemberParts, row: MemberRow): Promise<SshAddress> {
  const { settings } = row;
  const host = (settings.cloud ? row.address : null) ?? settings.host;
  if (host === null) {
    throw new Failure('MemberNotReady', { name: settings.name, why: `it has no ${settings.address} address yet.` });
  }
  const jump = jumpOf(settings);
  const place = { host, port: settings.port, ...(jump && { jump }) };
  const fingerprints = row.hostKeys.length > 0 ? row.hostKeys : await findHostKeys(parts, row, place);
  const auth =
    settings.auth.kind === 'key'
      ? settings.auth
      : { kind: 'password' as const, password: await parts.secrets.read(settings.auth.password) };
  return { ...place, username: settings.username, auth, hostKey: { fingerprints } };
}

function jumpOf({ jump }: MemberSettings): SshAddress | undefined {
  if (!jump) return undefined;
  const { host, port, username, keyPath, hostKey } = jump;
  return { host, port, username, auth: { kind: 'key', path: keyPath }, hostKey: { fingerprints: [hostKey] } };
}

/** First contact: the keys that the console output of the instance names, or the first key seen where its owner says so. */
async function findHostKeys(
  parts: MemberParts,
  row: MemberRow,
  place: Pick<SshAddress, 'host' | 'port' | 'jump'>,
): Promise<readonly string[]> {
  const { name, cloud, hostKeyPolicy } = row.settings;
  const printed = cloud
    ? fingerprintsIn(await parts.clouds.of(cloud.region, cloud.profile).consoleOutput(cloud.instanceId))
    : [];
  if (printed.length > 0) return pin(parts, row, printed, 'console');
  if (hostKeyPolicy !== 'tofu') {
    const why = cloud ? 'the console output of its instance does not show one (yet).' : 'it has no console output.';
    throw new Failure('NoHostKey', { name, why });
  }
  const { fingerprint } = await parts.ssh.scan(place, SCAN_MS);
  return pin(parts, row, [fingerprint], 'tofu');
}

async function pin(
  { postgres }: MemberParts,
  row: MemberRow,
  keys: readonly string[],
  source: 'console' | 'tofu',
): Promise<readonly string[]> {
  const where = source === 'console' ? 'as the console output shows them' : 'trusted on first use';
  return reaching(
    postgres.transaction(async (db) => {
      const pinned = await pinHostKeys(db, row.id, keys, source);
      if (pinned !== keys) return pinned;
      const says = `Host keys pinned, ${where}: ${keys.join(', ')}`;
      await noteMember(db, row, { by: 'fermata', kind: 'host_key_pinned', says, detail: { keys, source } });
      return keys;
    }),
  );
}

/** Notes, once for each, that a machine showed a host key that is not its own. */
export async function noteChangedKey({ postgres }: MemberParts, row: MemberRow, error: unknown): Promise<void> {
  if (!(error instanceof Failure) || error.type !== 'HostKeyChanged') return;
  const says = `Refused: ${error.message}`;
  await reaching(noteOnce(postgres.db, row, { by: 'fermata', kind: 'host_key_changed', says }));
}

/**
 * Learns from a failure on the way to a member, for the next try: a host key that is not its own is noted, and its
 * instance is looked at, since one that somebody else stopped and started has another address.
 */
export async function learnFrom(parts: MemberParts, row: MemberRow, error: unknown): Promise<void> {
  await noteChangedKey(parts, row, error);
  const seenMs = row.observedAt === null ? Infinity : Date.now() - row.observedAt.getTime();
  if (!(error instanceof Failure) || error.type !== 'SshUnreachable' || seenMs < LOOK_AGAIN_MS) return;
  try {
    await lookAt(parts, row);
  } catch (trouble) {
    // What is thrown on is that the machine was not reached.
    if (!(trouble instanceof Failure)) throw trouble;
  }
}
