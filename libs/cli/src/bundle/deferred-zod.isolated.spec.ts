import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { deferredZod, MAKERS, PLACES } from './deferred-zod.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));

/** Everything that can parse and is exported. */
type Schemas = Record<string, z.ZodType>;
function schemasOf(module: object): Schemas {
  const found = Object.entries(module).filter(
    ([, value]) =>
      typeof value === 'object' && value !== null && '_zod' in value && typeof value.safeParse === 'function',
  );
  return Object.fromEntries<z.ZodType>(found);
}

describe('the schemas of the wire, deferred', () => {
  /** Who asked for zod, as stacks: the line in libs/contract uses something that is in no list of deferred-zod.ts. */
  const asked: (string | undefined)[] = [];
  let atOnce: readonly (string | undefined)[] = [];
  let real: Schemas;
  let deferred: Schemas;
  beforeAll(async () => {
    real = schemasOf(await import('#libs/contract'));
    vi.resetModules();
    const load = () => {
      asked.push(new Error('made').stack);
      return z;
    };
    vi.doMock('zod', () => ({ z: deferredZod(load) }));
    const module = await import('#libs/contract');
    atOnce = [...asked];
    deferred = schemasOf(module);
  });
  afterAll(() => {
    vi.doUnmock('zod');
    vi.resetModules();
  });

  it('are not made when they are declared, and all with one zod', () => {
    expect(atOnce).toEqual([]);
    expect(asked).toHaveLength(1);
  });

  it('are the same ones', () => {
    expect(Object.keys(real).length).toBeGreaterThan(40);
    expect(Object.keys(deferred)).toEqual(Object.keys(real));
  });

  const image = { id: 'a', hash: 'sha256.00', tags: ['1', 2], size: '7', uploaded: true, fingerprints: null };
  const values: readonly unknown[] = [
    undefined,
    null,
    true,
    '',
    'admin',
    'library:write:a/b/c',
    -1,
    7,
    [],
    {},
    { data: {} },
    { data: image },
    { data: { image: [image, { ...image, tags: ['1'] }], entity: [{ id: 'x', name: 'y' }] } },
    { libraryAPI: { uri: 'https://localhost:1' }, other: { uri: 'no address' } },
    { username: 'ann', email: 'ann@example.org', password: 'short', displayName: ' Ann ' },
    { name: ' a ', scopes: ['build', 'nonsense'], limit: '12', cursor: 'x' },
    { error: { code: 404, message: 'not there', reason: 1 } },
    { kind: 'token', sequence: 1, id: 'a'.repeat(24), until: 2 },
    { outcome: 'failed', reason: 'x' },
    { Tag: 'a', ImageID: 'b', Arch: 'amd64' },
  ];

  it('take, change and refuse the same values with the same words', () => {
    for (const name of Object.keys(real)) {
      for (const value of values) {
        const [one, two] = [real[name]?.safeParse(value), deferred[name]?.safeParse(value)];
        const plain = (result: typeof one) => ({ data: result?.data, issues: result?.error?.issues });
        expect([name, plain(two)]).toEqual([name, plain(one)]);
      }
    }
  });
});

describe('deferred schemas', () => {
  const zod = deferredZod(() => z);

  it('are schemas to zod and to who looks', () => {
    const text = zod.string();
    expect(text instanceof z.ZodType).toBe(true);
    expect('_zod' in text).toBe(true);
    expect(z.object({ text }).parse({ text: 'a' })).toEqual({ text: 'a' });
    expect(zod.object({ text: z.string() }).shape.text.parse('a')).toBe('a');
  });

  it('refuse what is not listed, since it would not be in the bundle', () => {
    expect(() => zod.tuple).toThrow('deferred-zod.ts lists, got tuple');
  });

  it('list every function of zod that sources of the bundle use', async () => {
    const used = new Set<string>();
    for await (const file of glob(
      [
        'apps/sing/src/**/*.ts',
        'libs/{build,cli,client,contract,core,deffile,oci,pgp,runtime,sif,signing}/src/**/*.ts',
      ],
      { cwd: root, exclude: (name) => name.endsWith('.spec.ts') },
    )) {
      const text = readFileSync(`${root}/${file}`, 'utf8');
      if (!text.includes("import { z } from 'zod'")) continue;
      for (const [, name = ''] of text.matchAll(/\bz\s*\.(\w+)(?=[(.])/g)) used.add(name);
    }
    expect(used.size).toBeGreaterThan(10);
    expect([...used].filter((name) => !MAKERS.has(name) && !PLACES.has(name))).toEqual([]);
  });
});
