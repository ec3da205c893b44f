import { setTimeout as wait } from 'node:timers/promises';

/**
 * Waits until `look` finds nothing left.
 * @param look what is left: a list, or a text that says what is not right yet; empty when all is well
 * @throws Error that names what is left after `patience` milliseconds
 */
export async function untilNothing(what, look, patience = 20_000) {
  const end = performance.now() + patience;
  for (;;) {
    const left = await look();
    if (left.length === 0) return;
    if (performance.now() > end) throw new Error(`Expected no ${what}, got ${JSON.stringify(left)}`);
    await wait(50);
  }
}

/** Fails a promise that takes too long: a soak that hangs says nothing. */
export function within(milliseconds, what, promise) {
  const { promise: late, reject } = Promise.withResolvers();
  const timer = setTimeout(
    () => reject(new Error(`Expected ${what} within ${milliseconds / 1000} seconds`)),
    milliseconds,
  );
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
