import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '#libs/core';
import { createSif, DataType, FileSystem, HashType, MemoryAccess, PartitionType } from '#libs/sif';
import { archOfQuery } from './images/archQuery.js';
import { readImageFacts } from './images/imageFacts.js';
import { withoutArch } from './images/tags.service.js';

describe('archOfQuery', () => {
  it.each([
    [{ arch: 'arm64' }, 'arm64'],
    [{ 'arch=arm64': '' }, 'arm64'],
    [{}, undefined],
    [{ arch: '' }, undefined],
  ])('reads %o', (query, arch) => {
    expect(archOfQuery(query)).toBe(arch);
  });

  it.each([{ arch: ['a', 'b'] }, { arch: '../x' }, { arch: 'A' }, { 'arch=$ne': '' }])(
    'refuses %o',
    (query) => {
      expect(() => archOfQuery(query)).toThrow(/^Expected/);
    },
  );
});

describe('withoutArch', () => {
  it('prefers the default architecture, then the first by name', () => {
    expect(withoutArch({ arm64: { a: '1', b: '2' }, '386': { b: '3' }, amd64: { a: '4' } })).toEqual({
      a: '4',
      b: '3',
    });
  });
});

describe('readImageFacts', () => {
  const memory = (data: Buffer) => ({
    size: data.length,
    read: async (target: Buffer, at: number) => (at < data.length ? data.copy(target, 0, at) : 0),
  });

  async function sif(): Promise<Buffer> {
    const access = new MemoryAccess();
    const partition = {
      fileSystem: FileSystem.gocryptfsSquashfs,
      type: PartitionType.primary,
      architecture: 'riscv64',
    };
    const signature = { hashType: HashType.sha256, entity: Buffer.alloc(20, 0xab) };
    await createSif(access, {
      clock: new ManualClock('2026-01-01'),
      objects: [
        { type: DataType.partition, data: Buffer.alloc(8192), extra: { kind: 'partition', partition } },
        { type: DataType.signature, data: Buffer.from('s'), extra: { kind: 'signature', signature } },
        { type: DataType.signature, data: Buffer.from('t'), extra: { kind: 'signature', signature } },
      ],
    });
    return access.toBuffer();
  }

  it('reads architecture, encryption and signers', async () => {
    expect(await readImageFacts(memory(await sif()))).toEqual({
      format: 'sif',
      arch: 'riscv64',
      signed: true,
      encrypted: true,
      fingerprints: ['ab'.repeat(20)],
      labels: [],
    });
  });

  it.each([Buffer.alloc(0), Buffer.from('short'), Buffer.alloc(100_000)])(
    'knows what is no image',
    async (data) => {
      expect((await readImageFacts(memory(data))).format).toBe('other');
    },
  );

  it('takes any damaged image without a failure', async () => {
    const whole = await sif();
    const damage = fc.record({
      at: fc.nat(33_000),
      byte: fc.nat(255),
      length: fc.integer({ min: 60, max: whole.length }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, byte, length }) => {
        const data = Buffer.from(whole.subarray(0, length));
        if (at < data.length) data[at] = byte;
        expect(['sif', 'other']).toContain((await readImageFacts(memory(data))).format);
      }),
      { numRuns: 300 },
    );
  });
});
