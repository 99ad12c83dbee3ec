// Seals events as they come: woken by the database's notice, and once a second without one.
import { setTimeout as pause } from 'node:timers/promises';
import type { AuditLog, Log } from '../clients/log.ts';
import type { Postgres } from '../clients/postgres.ts';
import { listen } from '../clients/postgres.ts';
import { sealBatch } from '../store/seal.ts';

/** An event is sealed within a second, also when the notice was lost or another process held the lock. */
const LOOK_ANYWAY_MS = 800;

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
      sealed = await sealBatch(postgres, (batch) => {
        for (const { event, position, hash } of batch) audit.write(event, position, hash);
      });
      failing = false;
    } catch (error) {
      if (!failing) log.warn({ err: error }, 'events wait for their seals');
      failing = true;
    }
    if (sealed === 0) {
      await Promise.race([noticed, pause(LOOK_ANYWAY_MS, undefined, { signal }).catch(() => undefined)]);
    }
  }
  await listener.close();
}
