interface Limits {
  readonly deliveryBackOff: number;
  readonly deliveryBackOffMost: number;
  readonly webhookPauseMost: number;
}

/**
 * When a delivery that has failed is tried again: each time after twice as long, and a last time just before it is given up.
 * Times in milliseconds since 1970.
 * @param attempts how many there were
 * @param until when it is given up
 * @returns undefined: it is given up
 */
export function nextAttempt(
  attempts: number,
  now: number,
  until: number,
  { deliveryBackOff, deliveryBackOffMost }: Limits,
): number | undefined {
  if (now >= until) return undefined;
  const pause = Math.min(deliveryBackOff * 2 ** Math.max(0, attempts - 1), deliveryBackOffMost);
  return Math.min(now + pause, until);
}

/**
 * For how long a webhook that fails is left alone, whatever waits for it: the longer it has failed, the longer.
 * @param failing for how long, in milliseconds
 */
export function pauseOf(failing: number, { deliveryBackOff, webhookPauseMost }: Limits): number {
  return Math.min(Math.max(failing / 4, deliveryBackOff), webhookPauseMost);
}
