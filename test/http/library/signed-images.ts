import { systemClock } from '#libs/core';
import { readKeys } from '#libs/pgp';
import { DataType, MemoryAccess, objectsOfType, readSif } from '#libs/sif';
import { pgpSigner, signImage } from '#libs/signing';
import type { TestKey } from '../../support/pgp-keys.js';
import { testImage } from './world.js';

/** The same image with one more signature, as `sing sign` makes it. */
export async function signedBy(
  image: Buffer,
  ...signers: readonly Pick<TestKey, 'secret'>[]
): Promise<Buffer> {
  const access = new MemoryAccess(Buffer.from(image));
  for (const { secret } of signers) {
    const [key] = await readKeys(secret.armor());
    if (key === undefined) throw new Error('no key');
    await signImage(access, { signer: pgpSigner({ key, clock: systemClock }), clock: systemClock });
  }
  return access.toBuffer();
}

/** A new image that all of them have signed. */
export async function signedImage(...signers: readonly Pick<TestKey, 'secret'>[]): Promise<Buffer> {
  return signedBy(await testImage(), ...signers);
}

/** The same with one bit of its file system changed. */
export async function changedImage(image: Buffer): Promise<Buffer> {
  const bytes = Buffer.from(image);
  const [partition] = objectsOfType(await readSif(new MemoryAccess(bytes)), DataType.partition);
  if (partition === undefined) throw new Error('no partition');
  const at = Number(partition.offset);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}
