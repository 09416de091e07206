/** A clock for the scheduler: timers of a page slow down to one a second when it is hidden, those of a worker do not. */

const scope = self as unknown as { postMessage(message: null): void };
setInterval(() => scope.postMessage(null), 25);
