import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { createSif, DataType, FileSystem, MemoryAccess, PartitionType } from '#libs/sif';

/** An image with so many random bytes in a file, of which a few change whenever that is asked for. */
export async function imageFile(path, size) {
  const access = new MemoryAccess();
  const partition = { fileSystem: FileSystem.squashfs, type: PartitionType.primary, architecture: 'amd64' };
  const data = randomFillSync(Buffer.allocUnsafeSlow(size));
  const objects = [{ type: DataType.partition, data, extra: { kind: 'partition', partition } }];
  await createSif(access, { clock: { now: () => new Date() }, objects });
  const bytes = access.toBuffer();
  const file = openSync(path, 'w');
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, at);
  return {
    path,
    size: bytes.length,
    /** Other bytes than ever before. @returns their hash */
    async change() {
      const some = randomFillSync(Buffer.alloc(64));
      writeSync(file, some, 0, some.length, Math.floor(bytes.length / 2));
      return hashOfFile(path);
    },
    close: () => closeSync(file),
  };
}

/** `sha256.<hex>` of a file. */
export async function hashOfFile(path) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 4 * 1024 * 1024 })) hash.update(chunk);
  return `sha256.${hash.digest('hex')}`;
}
