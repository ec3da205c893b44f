import { createHash, randomBytes, randomFillSync } from 'node:crypto';
import { closeSync, copyFileSync, fsyncSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const MAGIC = Buffer.from('SIF_MAGIC\0');
const SALT_BYTES = 16;
/** What the library asks for in one part. */
const PART = 64 * 1024 * 1024;

/**
 * Random bytes that begin like an image, for several clients at once. `change` makes other content of one of them by its last bytes, so
 * that its hash takes no time from the servers. What fits into one part is in memory, the rest in files for curl: the whole of each client,
 * and of the parts only the last.
 * @param count of clients
 */
export function freshImages(size, count, folder) {
  const bytes = Buffer.allocUnsafeSlow(size);
  randomFillSync(bytes);
  MAGIC.copy(bytes, 32);
  const before = createHash('sha256').update(bytes.subarray(0, size - SALT_BYTES));
  const inFiles = size > PART;
  const parts = Math.ceil(size / PART);
  const pieceOf = (number) => bytes.subarray((number - 1) * PART, number * PART);
  const shared = (number) => join(folder, `part${number}`);
  if (inFiles) {
    for (let number = 1; number < parts; number += 1) writeFileSync(shared(number), pieceOf(number));
    writeFileSync(join(folder, 'whole0'), bytes);
    for (let client = 1; client < count; client += 1)
      copyFileSync(join(folder, 'whole0'), join(folder, `whole${client}`));
  }
  return Array.from({ length: count }, (_, client) => {
    const whole = join(folder, `whole${client}`);
    const last = join(folder, `last${client}`);
    if (inFiles) writeFileSync(last, pieceOf(parts));
    const image = {
      size,
      ...(inFiles
        ? { whole, partFile: (number) => (number === parts ? last : shared(number)) }
        : { bytes: Buffer.from(bytes) }),
      hash: '',
      change() {
        const salt = randomBytes(SALT_BYTES);
        image.hash = before.copy().update(salt).digest('hex');
        image.bytes?.set(salt, size - SALT_BYTES);
        if (!inFiles) return;
        writeSalt(whole, salt, size - SALT_BYTES);
        writeSalt(last, salt, size - (parts - 1) * PART - SALT_BYTES);
      },
    };
    return image;
  });
}

/** Through to the disk: what a client leaves there to be written would be paid by the server that flushes. */
function writeSalt(file, salt, position) {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, salt, 0, salt.length, position);
  fsyncSync(descriptor);
  closeSync(descriptor);
}
