// How a process of Fermata lives: it says when it is ready, and ends on a signal, or when the one who started it is gone.

/** Aborts when this process is to end: SIGINT, SIGTERM, or the end of a supervising parent. */
export function endOfProcess(): AbortSignal {
  const ending = new AbortController();
  const end = () => ending.abort();
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  if (process.channel) process.once('disconnect', end);
  return ending.signal;
}

/** Tells a supervising parent, if there is one, that this process does its work now. */
export function sayReady(): void {
  process.send?.({ type: 'ready' });
}

/** Runs a process's main function; an error a person can mend ends it with that sentence and status 2. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
    process.exit(0);
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') process.exit(0);
    const mendable = error instanceof Error && error.name === 'ConfigError';
    const text = error instanceof Error ? (mendable ? error.message : (error.stack ?? error.message)) : String(error);
    process.stderr.write(`${text}\n`);
    process.exit(mendable ? 2 : 1);
  }
}
