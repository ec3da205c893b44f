import { vi } from 'vitest';
import { TokenVerifier } from '#libs/server';
import type { StartedApp } from '../../support/app.js';

/**
 * Resolves when a service has looked into the feed of revocations once more, by itself and not before this was called: then it knows
 * all that was acknowledged by now. How often it looks is its interval, which no busy machine makes longer.
 */
export async function nextLook(app: StartedApp): Promise<void> {
  const verifier = app.get(TokenVerifier);
  const { authority } = verifier;
  if (authority === undefined) throw new Error('The service does not know whom to ask');
  const ask = authority.revocations.bind(authority);
  await new Promise<void>((resolve) => {
    const looks = vi.spyOn(authority, 'revocations').mockImplementation(async (...about) => {
      const feed = await ask(...about);
      looks.mockRestore();
      resolve();
      return feed;
    });
  });
  // Or the end of that look, which is under way.
  await verifier.refresh();
}
