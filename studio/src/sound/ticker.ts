/** Calls the scheduler every few milliseconds while there is something to play. */

export interface Ticker {
  start(): void;
  stop(): void;
}

const EVERY = 25; // milliseconds

/**
 * @param worker Makes the worker that ticks; where it cannot, the page's own timer does.
 */
export function ticker(tick: () => void, worker: (() => Worker) | null): Ticker {
  let own: Worker | null = null;
  let timer: ReturnType<typeof setInterval> | null = null;
  let running = false;
  const fallBack = (): void => {
    own?.terminate();
    own = null;
    worker = null;
    if (running && timer === null) timer = setInterval(tick, EVERY);
  };
  return {
    start(): void {
      if (running) return;
      running = true;
      if (worker === null) return fallBack();
      try {
        own = worker();
      } catch {
        return fallBack();
      }
      own.onmessage = tick;
      own.onerror = fallBack;
    },
    stop(): void {
      running = false;
      own?.terminate();
      own = null;
      if (timer !== null) clearInterval(timer);
      timer = null;
    },
  };
}
