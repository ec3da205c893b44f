import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  expectedImages,
  hostileImages,
  SIF_FIXTURES,
  sifFixture,
  sifFixtureNames,
} from '../../../../test/support/sif-fixtures.js';
import { FIXTURE_CLOCK } from '../../../../test/support/sif-keys.js';
import { World } from '../testing/world.js';

/*
 * The command line gives for every file of the fixtures the answer that the stock program gave (expected.json), or the
 * better one that README.md there names. The person has the public keys A, B and D.
 */

let world: World;
beforeAll(async () => {
  // The keys were made on the day before; a machine whose clock is behind must not take them for keys of the future.
  vi.useFakeTimers({ toFake: ['Date'], now: FIXTURE_CLOCK.now() });
  world = await World.create();
  for (const letter of ['a', 'b', 'd'])
    await world.ok(['key', 'import', `keys/test-key-${letter}.pub.asc`], { cwd: SIF_FIXTURES });
});
afterAll(async () => {
  await world.close();
  vi.useRealTimers();
});

const sing = (...argv: string[]) => world.run(argv, { cwd: SIF_FIXTURES });

/** A fixture as a file; packed ones are unpacked. */
async function fileOf(name: string): Promise<string> {
  if (!name.endsWith('.gz')) return name;
  const path = world.path(name.slice(0, -'.gz'.length));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, sifFixture(name));
  return path;
}

describe('sing verify', () => {
  const variants = expectedImages().flatMap(([name, { verify }]) =>
    verify.map((expected) => ({ name, args: expected.args.join(' '), expected })),
  );

  it.each(variants)('answers $name $args like the stock program', async ({ name, expected }) => {
    const { status, stdout, stderr } = await sing('verify', ...expected.args, await fileOf(name));
    const detail =
      /(signature object \d+ not valid|object \d+: object not signed|signed by unknown authority|incompatible key usage).*/s;
    const fatal = /^FATAL: {3}Failed to verify container: (.*)/m.exec(stderr)?.[1] ?? '';
    expect({
      exit: status,
      error: fatal.replace(detail, '$1').replace(/ \(it ends at .*\)$/, ''),
      verifiedObjects: [...stdout.matchAll(/^(\d+) +\|/gm)].map(([, id]) => Number(id)),
      signers: [...stdout.matchAll(/Fingerprint: ([0-9A-F]{40})$/gm)].map(([, fingerprint]) => fingerprint),
    }).toEqual({
      exit: expected.exit,
      error: expected.error.replace(detail, '$1'),
      verifiedObjects: expected.verifiedObjects,
      signers: expected.signers,
    });
  });

  it('was asked for every image, changed image and legacy image', () => {
    const asked = new Set(variants.map(({ name }) => name));
    for (const folder of ['images', 'tampered', 'undetected', 'legacy', 'encrypted'])
      for (const name of sifFixtureNames(folder)) expect(asked).toContain(name);
  });

  // A group that was renumbered together with its link looks like one that was made so.
  const noticed = sifFixtureNames('undetected').filter((name) => !name.endsWith('/regrouped.sif'));

  it.each(noticed)('warns of %s, and is satisfied', async (name) => {
    const { status, stderr } = await sing('verify', '--local', name);
    expect([status, stderr]).toEqual([0, expect.stringContaining('WARNING: ')]);
  });

  it('warns of nothing in images that are as they were made', async () => {
    for (const name of ['images/signed.sif', 'images/twice-signed.sif', 'images/multi-group-signed.sif'])
      expect((await sing('verify', '--local', name)).stderr).not.toContain('WARNING');
  });

  it('names what nobody signed', async () => {
    const added = await sing('verify', '--local', 'tampered/overlay-added.sif');
    expect(added.stderr).toContain(
      'WARNING: Not named by a signature of its group: 5 FS (Squashfs/Overlay/amd64)',
    );
    expect(added.stderr).toContain('integrity: object 5: object not signed (FS (Squashfs/Overlay/amd64))');
    const group = await sing('verify', '--local', '-g', '1', 'tampered/object-added-new-group.sif');
    expect([group.status, group.stderr]).toEqual([
      0,
      expect.stringContaining('Signed by nobody: 5 Generic/Raw'),
    ]);
  });
});

describe('hostile images', () => {
  const images = hostileImages();

  it.each(images)('$name ($kind) is read safely', async ({ name, kind, answers }) => {
    let ids = new Set<string | undefined>();
    for (const [command, argv] of [
      ['header', ['sif', 'header']],
      ['list', ['sif', 'list']],
    ] as const) {
      const { status, stdout, stderr } = await sing(...argv, name);
      expect([command, status, stdout === '']).toEqual([command, kind === 'R' ? 1 : 0, kind === 'R']);
      ids = new Set([...stdout.matchAll(/^(\d+) +\|/gm)].map(([, id]) => id));
      expect([kind, kind !== 'W' || stderr.includes('WARNING: ')]).toEqual([kind, true]);
    }
    for (const [command, ...argv] of [
      ['dump1', 'dump', '1'],
      ['dump3', 'dump', '3'],
      ['dump4', 'dump', '4'],
      ['info4', 'info', '4'],
    ] as const) {
      const { status, stderr } = await sing('sif', ...argv, name);
      // What the stock program refuses, we refuse; of what it only seems to manage we may refuse the one object. Objects
      // that a wrong counter hides from it are there (README: "warn, trust the table").
      const hidden = answers[command]?.error === 'no objects in image' && kind === 'W';
      const refused = kind === 'R' || (hidden ? !ids.has(argv[1]) : answers[command]?.exit !== 0);
      const ours = new RegExp(`^FATAL: {3}object ${argv[1]} cannot be used`, 'm').test(stderr);
      expect([command, status]).toEqual([command, refused || ours ? 1 : 0]);
    }
    const { status, stdout, stderr } = await sing('verify', '--local', name);
    expect([status, stdout, stderr]).toEqual([
      255,
      '',
      expect.stringMatching(/^FATAL: {3}Failed to verify container: /m),
    ]);
    // Where the stock program crashed, or read what must not be read, only the status can be the same.
    const said = kind !== 'R' && answers['verify']?.exit === 255 ? answers['verify'].error : '';
    expect(stderr).toContain(said);
  });

  it('are all of them', () => {
    expect(images.map(({ name }) => name).sort()).toEqual(sifFixtureNames('hostile').sort());
    expect(images.filter(({ kind }) => kind === undefined)).toEqual([]);
  });
});
