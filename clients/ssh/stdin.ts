// What a command reads: sent as fast as it takes it, and then the end of it.
import type { ClientChannel } from 'ssh2';

export type Stdin = string | Uint8Array | AsyncIterable<Uint8Array>;

/**
 * Sends all of it and ends. `gone` resolves when nobody reads any more, which is no error: a command need not read.
 * Throws what the source throws; the end is not sent then, so that a part is not taken for the whole.
 */
export async function feed(channel: ClientChannel, stdin: Stdin | undefined, gone: Promise<void>): Promise<void> {
  let isGone = false;
  let wake: () => void = () => undefined;
  void gone.then(() => {
    isGone = true;
    wake();
  });
  const write = (chunk: Uint8Array) =>
    new Promise<void>((resolve) => {
      // A write to a channel that was closed is never answered.
      wake = resolve;
      channel.write(chunk, () => resolve());
    });
  const nextOf = (source: AsyncIterator<Uint8Array>) =>
    new Promise<Uint8Array | undefined>((resolve, reject) => {
      wake = () => resolve(undefined);
      source.next().then(({ done, value }) => resolve(done ? undefined : value), reject);
    });
  if (typeof stdin === 'string') {
    if (stdin !== '') await write(Buffer.from(stdin));
  } else if (stdin instanceof Uint8Array) {
    if (stdin.length > 0) await write(stdin);
  } else if (stdin) {
    const source = stdin[Symbol.asyncIterator]();
    for (let chunk = await nextOf(source); chunk && !isGone; chunk = await nextOf(source)) await write(chunk);
    if (isGone) source.return?.().catch(() => undefined);
  }
  if (!isGone) channel.end();
}
