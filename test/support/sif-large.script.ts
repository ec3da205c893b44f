/**
 * Adds to a large image, or signs and verifies it, and says what that took: for test/integration/sif-large.spec.ts.
 * Parameters: `add` or `sign`, the image.
 */
import { readFileSync } from 'node:fs';
import { addObject, DataType, FileAccess, type RandomAccess } from '#libs/sif';
import { pgpSigner, signImage, verifyImage } from '#libs/signing';
import { FIXTURE_CLOCK as clock, sifKey, sifRing } from './sif-keys.js';

const [, , what, path = ''] = process.argv;
const access = await FileAccess.open(path, 'update');
const written: [number, number][] = [];
const counting: RandomAccess = {
  get size() {
    return access.size;
  },
  readInto: (into, offset) => access.readInto(into, offset),
  write: async (data, offset) => {
    written.push([offset, offset + data.length]);
    await access.write(data, offset);
  },
  truncate: (size) => access.truncate(size),
  sync: () => access.sync(),
};

let ok = true;
if (what === 'add') {
  await addObject(counting, { type: DataType.generic, data: Buffer.from('small'), group: 2 }, { clock });
} else {
  const signer = pgpSigner({ key: await sifKey('a', 'secret'), clock });
  await signImage(counting, { signer, clock });
  ({ ok } = await verifyImage(counting, { clock, pgp: [sifRing()], outside: true }));
}
await access.close();

/** Kilobytes, the most that were in use at any time. */
const peak = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
process.stdout.write(`${JSON.stringify({ ok, written, peak })}\n`);
