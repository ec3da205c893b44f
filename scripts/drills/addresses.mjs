import { afterExpiry } from './after-expiry.mjs';
import { Attempts } from './attempts.mjs';
import { contextAddresses } from './contexts.mjs';
import { jobTokens } from './job-tokens.mjs';
import { uploadAddresses } from './uploads.mjs';
import { World } from './world.mjs';

/** What can be done with an address or a token that was made for one thing: that thing, for its owner, until its end. */
export async function addresses(options) {
  const attempts = new Attempts();
  // The worker is played: its process would do the builds.
  const world = await World.prepare(options, {
    processes: { services: 'auth,library,builder', worker: 'worker' },
    queue: true,
  });
  try {
    await world.start('services');
    await uploadAddresses(world, attempts);
    await contextAddresses(world, attempts);
    await jobTokens(world, attempts);
    await afterExpiry(world, attempts);
  } finally {
    await world.stop();
  }
  return `${attempts.count} attempts with addresses, tokens of workers and log sockets, none did anything else`;
}
