import { mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ManualClock } from '#libs/core';
import { newPrivateJwk } from '#libs/server';
import { SigningKeys } from './signing-keys.js';

let folder: string;
let clock: ManualClock;
const said: string[] = [];
const say = (message: string): void => {
  said.push(message);
};
const open = () => SigningKeys.open(folder, { clock, log: { info: say, warn: say } });
const kids = (keys: SigningKeys) => keys.published.map((key) => key.kid);
const signer = async (keys: SigningKeys) => decodeProtectedHeader(await keys.sign('accessToken', {})).kid;
const DAY = 86_400_000;

beforeEach(async () => {
  clock = new ManualClock('2026-05-01T12:00:00Z');
  said.length = 0;
  folder = join(await mkdtemp(join(tmpdir(), 'scs-keys-')), 'signing-keys');
});
afterEach(() => rm(join(folder, '..'), { recursive: true }));

test('the first key is made for its owner alone and found again', async () => {
  const first = await open();
  expect((await stat(join(folder, '0001.json'))).mode & 0o777).toBe(0o600);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await open()).published).toEqual(first.published);
});

test('two first starts at once agree on one key', async () => {
  const [one, two] = await Promise.all([open(), open()]);
  expect(one.published).toEqual(two.published);
  expect(await readdir(folder)).toEqual(['0001.json']);
});

test('a key that was put there signs at once, and the older one is still published', async () => {
  const old = await open();
  const next = await newPrivateJwk();
  await writeFile(join(folder, '0002.json'), JSON.stringify(next));
  const keys = await open();
  expect(keys.published.map((key) => key.kid)).toEqual([old.published[0]?.kid, next.kid]);
  expect(decodeProtectedHeader(await keys.sign('accessToken', {})).kid).toBe(next.kid);
  expect(keys.has(old.published[0]?.kid)).toBe(true);
  expect(JSON.stringify(keys.published)).not.toContain(next.d);
});

test('feeds are signed with the oldest key, which everybody knows', async () => {
  const old = await open();
  await writeFile(join(folder, '0002.json'), JSON.stringify(await newPrivateJwk()));
  const keys = await open();
  expect(decodeProtectedHeader(await keys.sign('revocations', {})).kid).toBe(old.published[0]?.kid);
});

test('a key under the id of another one is refused', async () => {
  await open();
  const [one, another] = [await newPrivateJwk(), await newPrivateJwk()];
  await writeFile(join(folder, '0002.json'), JSON.stringify({ ...one, kid: another.kid }));
  await expect(open()).rejects.toThrow(`Expected the thumbprint ${one.kid}`);
});

describe('when all keys are retired', () => {
  test('the new one is told before the others go, and signs then', async () => {
    const keys = await open();
    const [first] = kids(keys);
    let told: (string | undefined)[] = [];
    const { signs, retired } = await keys.retireAll(null, async () => {
      told = [...kids(keys), await signer(keys)];
    });
    expect(told).toEqual([first, signs, first]);
    expect(retired).toEqual([first]);
    expect(kids(keys)).toEqual([signs]);
    expect(await signer(keys)).toBe(signs);
    expect(await readdir(folder)).toEqual(['0002.json']);
    expect(await signer(await open())).toBe(signs);
  });

  test('others that share the folder follow, and two at once end everything all the same', async () => {
    const [one, two] = [await open(), await open()];
    const [first] = kids(one);
    await Promise.all([one, two].map((keys) => keys.retireAll(null, () => setImmediate())));
    await Promise.all([one.maintain(), two.maintain()]);
    expect(kids(one)).toEqual(kids(two));
    expect(kids(one)).not.toContain(first);
    expect(await readdir(folder)).toHaveLength(1);
  });

  test('a damaged file with the highest number is not mistaken for the new key', async () => {
    const keys = await open();
    const [first] = kids(keys);
    await writeFile(join(folder, '0007.json'), '{');
    const { signs } = await keys.retireAll(null, () => Promise.resolve());
    expect(kids(keys)).toEqual([signs]);
    expect(signs).not.toBe(first);
  });

  test('a trail that cannot be written keeps none in force', async () => {
    const changed = vi.fn().mockResolvedValueOnce(undefined).mockRejectedValue(new Error('no disk'));
    const keys = await SigningKeys.open(folder, { clock, log: { info: say, warn: say }, changed });
    const { signs } = await keys.retireAll(null, () => Promise.resolve());
    expect(kids(keys)).toEqual([signs]);
    expect(said.join()).toContain('was not recorded: no disk');
  });

  test('a folder that takes no new key changes nothing', async () => {
    const keys = await open();
    await rm(folder, { recursive: true });
    await expect(keys.retireAll(null, () => Promise.resolve())).rejects.toThrow('ENOENT');
    expect(kids(keys)).toHaveLength(1);
  });
});

test('what is wrong in the folder is said once', async () => {
  const keys = await open();
  await writeFile(join(folder, '0002.json'), '{');
  for (let look = 0; look < 3; look += 1) await keys.maintain();
  expect(said.filter((line) => line.includes('0002.json'))).toHaveLength(1);
});

test('a damaged key file is named', async () => {
  await open();
  await writeFile(join(folder, '0001.json'), '{}');
  await expect(open()).rejects.toThrow(/Expected a private ES256 key in .*0001\.json/);
});

test('a key of 90 days is followed by one that is published first and signs ten minutes later', async () => {
  const keys = await open();
  const [first] = kids(keys);
  clock.advance(90 * DAY - 1);
  await keys.maintain();
  expect(kids(keys)).toEqual([first]);
  clock.advance(1);
  await keys.maintain();
  const [, second] = kids(keys);
  expect(kids(keys)).toEqual([first, second]);
  expect((await stat(join(folder, '0002.json'))).mode & 0o777).toBe(0o600);
  expect(await signer(keys)).toBe(first);
  clock.advance(600_000);
  expect(await signer(keys)).toBe(second);
  await keys.maintain();
  expect(kids(keys)).toEqual([first, second]);
  // A start in between finds the same.
  expect(await signer(await open())).toBe(second);
});

test('a key goes when no token of it can be valid any more, and never before', async () => {
  const keys = await open();
  const [first] = kids(keys);
  clock.advance(90 * DAY);
  await keys.maintain();
  clock.advance(366 * DAY + 600_000);
  await keys.maintain();
  expect(keys.has(first)).toBe(true);
  clock.advance(DAY);
  await keys.maintain();
  expect(keys.has(first)).toBe(false);
  expect(await readdir(folder)).not.toContain('0001.json');
  expect(said.join()).toContain('0001.json was removed');
});

test('replicas that share the folder agree on the next key, and take over what another one made or removed', async () => {
  const replicas = await Promise.all(Array.from({ length: 5 }, open));
  clock.advance(90 * DAY);
  await Promise.all(replicas.map((keys) => keys.maintain()));
  const [one, ...others] = replicas.map(kids);
  expect(one).toHaveLength(2);
  for (const other of others) expect(other).toEqual(one);
  expect((await readdir(folder)).sort()).toEqual(['0001.json', '0002.json']);

  const late = await open();
  clock.advance(368 * DAY);
  await Promise.all(replicas.map((keys) => keys.maintain()));
  await Promise.all([...replicas, late].map((keys) => keys.maintain()));
  for (const keys of [...replicas, late]) expect(kids(keys)).toEqual(kids(late));
  expect(kids(late)).not.toContain(one?.[0]);
});

test('a running service takes over a key that was put there or removed, and none that is damaged', async () => {
  const keys = await open();
  const next = await newPrivateJwk();
  await writeFile(join(folder, '0002.json'), JSON.stringify(next));
  await writeFile(join(folder, '0003.json'), '{');
  await keys.maintain();
  expect(await signer(keys)).toBe(next.kid);
  expect(said.join()).toMatch(/not taken: Expected a private ES256 key in .*0003\.json/);
  await rm(join(folder, '0001.json'));
  await rm(join(folder, '0003.json'));
  await keys.maintain();
  expect(kids(keys)).toEqual([next.kid]);
});

test('a folder that is suddenly empty is not shared any more: the keys stay until the next start', async () => {
  const keys = await open();
  const before = kids(keys);
  await rename(join(folder, '0001.json'), join(folder, 'elsewhere'));
  await keys.maintain();
  expect(kids(keys)).toEqual(before);
  expect(said.join()).toContain('start again');
  expect(kids(await open())).not.toEqual(before);
});

test('the age of a key that was put there is the age of its file', async () => {
  const keys = await open();
  const next = await newPrivateJwk();
  await writeFile(join(folder, '0002.json'), JSON.stringify(next));
  const placed = new Date(clock.now().getTime() - 89 * DAY);
  await utimes(join(folder, '0002.json'), placed, placed);
  await keys.maintain();
  expect(kids(keys)).toHaveLength(2);
  clock.advance(DAY);
  await keys.maintain();
  expect(kids(keys)).toHaveLength(3);
});
