import fc from 'fast-check';
import * as openpgp from 'openpgp';
import { expect, it } from 'vitest';
import { oddCertificate } from '../testing/odd.js';
import { Store } from '../testing/store.js';
import type { Packet } from '../packets/reader.js';
import { isBound } from './components.js';

/** OpenPGP.js refuses a key for one signature that it cannot read. */
it('whatever an owner makes, what is served of it is read by OpenPGP.js, all of it', async () => {
  let served = 0;
  await fc.assert(
    fc.asyncProperty(oddCertificate, async (packets) => {
      const [primary] = packets;
      const store = new Store(primary as Packet);
      await store.add(packets);
      if (store.served.length === 0) return;
      served += 1;
      const key = await openpgp.readKey({ binaryKey: store.served });
      const certificate = await store.certificate();
      const known = (certificate?.subkeys ?? []).filter(isBound);
      expect(key.getUserIDs()).toHaveLength((certificate?.userIds ?? []).filter(isBound).length);
      expect(key.subkeys.length).toBeLessThanOrEqual(known.length);
    }),
    { numRuns: 150 },
  );
  expect(served).toBeGreaterThan(50);
});
