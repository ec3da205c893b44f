import { createHash, randomBytes, randomFillSync } from 'node:crypto';
import { closeSync, fsyncSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const MAGIC = Buffer.from('SIF_MAGIC\0');
/** Where `change` writes: behind the header, in the first part. */
const SALT_AT = 4096;
const SALT_BYTES = 16;

/** Random bytes that begin like an image. `change` makes other content of them, and its hash. */
function freshImage(size) {
  const bytes = Buffer.allocUnsafeSlow(size);
  randomFillSync(bytes);
  MAGIC.copy(bytes, 32);
  const image = {
    bytes,
    size,
    hash: '',
    change() {
      randomBytes(SALT_BYTES).copy(bytes, SALT_AT);
      image.hash = createHash('sha256').update(bytes).digest('hex');
    },
  };
  return image;
}

/**
 * The same for a client that pushes `count` times in a row: its changes and their hashes are made beforehand, so that they
 * take no time from the servers. `next` makes the next one.
 */
export function preparedImage(size, count) {
  const image = freshImage(size);
  const contents = Array.from({ length: count }, () => {
    image.change();
    return { salt: Buffer.copyBytesFrom(image.bytes, SALT_AT, SALT_BYTES), hash: image.hash };
  });
  return {
    size,
    bytes: image.bytes,
    hash: '',
    next() {
      const content = contents.pop();
      if (content === undefined) throw new Error(`Expected at most ${count} pushes`);
      content.salt.copy(image.bytes, SALT_AT);
      this.hash = content.hash;
    },
  };
}

/** What the library asks for in one part. */
const PART = 64 * 1024 * 1024;

/** The same as files, whole and in parts, for clients that send files. */
export function freshImageFiles(size, folder) {
  const image = freshImage(size);
  const whole = join(folder, 'whole');
  const partFile = (number) => join(folder, `part${number}`);
  writeFileSync(whole, image.bytes);
  for (let number = 1; (number - 1) * PART < size; number += 1)
    writeFileSync(partFile(number), image.bytes.subarray((number - 1) * PART, number * PART));
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
      for (const file of [whole, partFile(1)]) writeSalt(file, image.bytes);
    },
  };
}

/** Through to the disk: what a client leaves there to be written would be paid by the server that flushes. */
function writeSalt(file, bytes) {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, bytes, SALT_AT, SALT_BYTES, SALT_AT);
  fsyncSync(descriptor);
  closeSync(descriptor);
}
