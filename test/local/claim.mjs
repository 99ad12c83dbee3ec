// Tries to take a lock, says whether it did, and holds it until it is ended.
import { tryLock } from '../../local/lock.mjs';

const { lock, holder } = tryLock(process.argv[2], { name: process.argv[3] });
if (lock) {
  console.log('held');
  setInterval(() => undefined, 60_000);
  process.on('SIGTERM', () => {
    lock.release();
    process.exit(0);
  });
} else {
  console.log(`refused: ${holder.name}`);
}
