import { createHash, randomBytes, randomFillSync } from 'node:crypto';

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
