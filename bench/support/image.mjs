import { createHash, randomBytes, randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MAGIC = Buffer.from('SIF_MAGIC\0');

/** Random bytes that begin like an image. `change` makes other content of them, and its hash. */
export function freshImage(size) {
  const bytes = Buffer.allocUnsafeSlow(size);
  randomFillSync(bytes);
  MAGIC.copy(bytes, 32);
  const image = {
    bytes,
    size,
    hash: '',
    change() {
      randomBytes(16).copy(bytes, 4096);
      image.hash = createHash('sha256').update(bytes).digest('hex');
    },
  };
  return image;
}

/** What the library asks for in one part. */
const PART = 64 * 1024 * 1024;

/** The same as files, whole and in parts, for clients that send files. */
export function freshImageFiles(size, folder) {
  const image = freshImage(size);
  const whole = join(folder, 'whole');
  const partFile = (number) => join(folder, `part${number}`);
  const writePart = (number) =>
    writeFileSync(partFile(number), image.bytes.subarray((number - 1) * PART, number * PART));
  for (let number = 1; (number - 1) * PART < size; number += 1) writePart(number);
  return {
    size,
    whole,
    partFile,
    bytes: image.bytes,
    get hash() {
      return image.hash;
    },
    change() {
      image.change();
      writeFileSync(whole, image.bytes);
      writePart(1);
    },
  };
}
