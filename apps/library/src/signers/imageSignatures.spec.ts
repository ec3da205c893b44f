import { describe, expect, it } from 'vitest';
import { FIXTURE_CLOCK as clock, sifRing } from '../../../../test/support/sif-keys.js';
import { sifFixture } from '../../../../test/support/sif-fixtures.js';
import {
  createSif,
  DataType,
  HashType,
  MemoryAccess,
  objectsOfType,
  type ReadAccess,
  readObject,
  readSif,
} from '#libs/sif';
import { LIMITS } from '../limits.js';
import { examineSignatures } from './imageSignatures.js';

const A = '1f4f38ec5fdb2a627e9237fea4e241fb667d1318';
const B = '2ced450d6961640cb9fa187b1b5c94522b6529b4';

/** Keys by letter; every question is remembered. */
function ring(letters: readonly string[]) {
  const asked: string[] = [];
  const source = sifRing(letters);
  const keys = (search: string) => {
    asked.push(search);
    return source.find(search.slice(2).toUpperCase());
  };
  return { keys, asked };
}

/** The same bytes; how many of them were read is told. */
function counted(source: ReadAccess) {
  const counter = {
    size: source.size,
    bytes: 0,
    readInto: (into: Uint8Array, offset: number) => {
      counter.bytes += into.byteLength;
      return source.readInto(into, offset);
    },
  };
  return counter;
}

/** The data of the signature in a fixture. */
async function signatureIn(name: string): Promise<Buffer> {
  const file = await readSif(new MemoryAccess(sifFixture(name)));
  const [signature] = objectsOfType(file, DataType.signature);
  if (signature === undefined) throw new Error('no signature');
  return readObject(file, signature, LIMITS.signatureBytes);
}

const image = (name: string) => new MemoryAccess(sifFixture(name));

describe('the signatures of an image', () => {
  it('are each looked at by itself', async () => {
    const twice = image('images/twice-signed.sif');
    const found = async (letters: string) => examineSignatures(twice, { ...ring(letters.split('')), clock });
    expect((await found('ab')).signers.map(({ fingerprint }) => fingerprint)).toEqual([A, B]);
    const withoutA = await found('b');
    expect(withoutA.signers).toEqual([{ fingerprint: B }]);
    expect(withoutA.signatures.map(({ state }) => state)).toEqual(['key_unknown', 'good']);
    expect(withoutA.complete).toBe(true);
  });

  it('of a part of it make nobody a signer of it', async () => {
    const part = await examineSignatures(image('images/multi-group-signed-g1-only.sif'), {
      ...ring(['a', 'b', 'd']),
      clock,
    });
    expect(part.signatures.map(({ state }) => state)).toEqual(['good']);
    expect(part.signers).toEqual([]);
    const outside = await examineSignatures(image('tampered/object-added-no-group.sif'), {
      ...ring(['a', 'b', 'd']),
      clock,
    });
    expect(outside.signatures.map(({ state }) => state)).toEqual(['changed']);
    expect(outside.signers).toEqual([]);
  });

  it('are no reason to read the data again when only a key has changed', async () => {
    const source = counted(image('images/signed.sif'));
    const first = await examineSignatures(source, { ...ring(['a', 'b', 'd']), clock });
    const all = source.bytes;
    source.bytes = 0;
    const again = await examineSignatures(source, {
      ...ring(['a', 'b', 'd']),
      clock,
      digests: first.digests,
    });
    expect(again).toEqual(first);
    expect(first.signers).toHaveLength(1);
    const rest = source.bytes;
    const objects = (await readSif(source)).descriptors.filter(({ type }) => type !== DataType.signature);
    const data = objects.reduce((sum, { size }) => sum + Number(size), 0);
    expect(data).toBeGreaterThan(4096);
    expect(all - rest).toBe(data);
  });

  it('are not all known while the keystore is silent', async () => {
    const keys = () => Promise.reject(new Error('silence'));
    const found = await examineSignatures(image('images/signed.sif'), { keys, clock });
    expect(found).toMatchObject({ signers: [], complete: false });
  });

  it('are not looked at when there are more of them than anybody makes', async () => {
    const many = new MemoryAccess();
    const { keys, asked } = ring(['a', 'b', 'd']);
    const data = await signatureIn('images/signed.sif');
    const entity = Buffer.from(A, 'hex');
    const signature = {
      type: DataType.signature,
      data,
      group: 0,
      link: { kind: 'group', id: 1 } as const,
      extra: { kind: 'signature', signature: { hashType: HashType.sha256, entity } } as const,
    };
    const signatures = Array.from({ length: LIMITS.signaturesPerImage + 1 }, () => signature);
    const objects = [{ type: DataType.generic, data: Buffer.from('x') }, ...signatures];
    await createSif(many, { clock, slots: objects.length, objects });
    expect(await examineSignatures(many, { keys, clock })).toMatchObject({ signers: [], complete: true });
    expect(asked).toEqual([]);
  });
});
