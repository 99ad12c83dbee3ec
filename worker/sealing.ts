// Seals events as they come: woken by the database's notice, and once a second without one.
import { setTimeout as pause } from 'node:timers/promises';
import type { AuditLog, Log } from '../clients/log.ts';
import type { Postgres } from '../clients/postgres.ts';
import { listen } from '../clients/postgres.ts';
import { SEAL_BATCH, sealBatch } from '../store/seal.ts';

/** An event is sealed within a second, also when the notice was lost or another process held the lock. */
const LOOK_ANYWAY_MS = 800;

/** A lone event is sealed at once; after that comes a rest, so that under load one look seals many. */
const REST_MS = 250;

/** Seals until `signal` aborts. */
export async function keepSealing(
  parts: { readonly postgres: Postgres; readonly url: string; readonly audit: AuditLog; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  const { postgres, url, audit, log } = parts;
  let wake: () => void = () => undefined;
  const listener = listen(url, ['fermata_unsealed'], () => wake());
  let failing = false;
  while (!signal.aborted) {
    const noticed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    let sealed = 0;
    try {
      sealed = await sealBatch(postgres, (batch) => audit.write(batch));
      failing = false;
    } catch (error) {
      if (!failing) log.warn({ err: error }, 'events wait for their seals');
      failing = true;
    }
    if (sealed === SEAL_BATCH) continue;
    if (sealed > 0) await rest(REST_MS, signal);
    await Promise.race([noticed, rest(LOOK_ANYWAY_MS - REST_MS, signal)]);
  }
  await listener.close();
}

/** A pause that ends early, and without a word, when `signal` aborts. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => undefined);
}
