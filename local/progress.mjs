// Says what is being done and for how long: in place on a terminal, elsewhere by a line now and then.
const REMIND_MS = 20_000;
const REDRAW_MS = 500;
const NAME_WIDTH = 14;
const TEXT_WIDTH = 52;

function formatElapsed(ms) {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} min`;
}

export function createProgress(out = process.stdout) {
  const steps = new Set();
  let drawn = 0;
  // Whoever reads our output may go away, as `head` does; that ends the reading and not the work.
  out.on('error', () => undefined);

  const erase = () => {
    if (drawn > 0) out.write(`\x1b[${drawn}A\x1b[J`);
    drawn = 0;
  };
  const draw = () => {
    if (!out.isTTY) return;
    for (const step of steps) out.write(`${render('…', step).slice(0, (out.columns || 80) - 1)}\n`);
    drawn = steps.size;
  };
  const line = (text) => {
    erase();
    out.write(`${text}\n`);
    draw();
  };
  const tick = () => {
    erase();
    draw();
    if (out.isTTY) return;
    for (const step of steps) {
      if (Date.now() - step.saidMs < REMIND_MS) continue;
      step.saidMs = Date.now();
      line(render('…', step));
    }
  };
  let timer;

  /** `log` is shown while it lasts and when it failed; a `quiet` one is not announced. */
  const step = (name, text, { log, quiet = false } = {}) => {
    const it = { name, text, log, beganMs: Date.now(), saidMs: Date.now() };
    // Without a terminal nobody sees a step until it ends, unless it is announced.
    if (!out.isTTY && !quiet) line(render('…', it, false));
    steps.add(it);
    timer ??= setInterval(tick, REDRAW_MS);
    tick();
    const end = (mark, said) => {
      steps.delete(it);
      if (steps.size === 0) timer = void clearInterval(timer);
      it.text = said ?? it.text;
      if (mark === '✓') it.log = undefined;
      line(render(mark, it));
    };
    return {
      say: (said) => {
        if (!out.isTTY && said !== it.text) line(render('…', { ...it, text: said }));
        it.text = said;
      },
      done: (said) => end('✓', said),
      failed: (said) => end('✗', said),
    };
  };
  return { line, step };
}

function render(mark, { name, text, log, beganMs }, timed = true) {
  const elapsed = timed ? formatElapsed(Date.now() - beganMs) : '';
  const where = log ? `  log: ${log}` : '';
  return `${mark} ${name.padEnd(NAME_WIDTH)}${text.padEnd(TEXT_WIDTH)} ${elapsed.padStart(8)}${where}`.trimEnd();
}
