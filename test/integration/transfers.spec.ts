import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TinyLibrary } from '#apps/sing/src/testing/tiny-library';
import { World } from '#apps/sing/src/testing/world';
import { testImage } from '../http/library/world.js';
import { lacking, skipped } from '../support/needs.js';
import type { Running } from '../support/run.js';
import { CHECKOUT, type Person, person } from '../support/up.js';

/*
 * Programs that pull from a library that the test answers for: two at once, and one whose disk becomes full. Kills at any
 * moment: soak.spec.ts.
 */

const MIB = 1024 * 1024;
const IMAGE = 'library://demo/col/hello:1';
const SIZE = 40 * MIB;

let world: World;
let me: Person;
let content: Buffer;
let library: TinyLibrary;
/** Told of every request for bytes, before it is answered. */
let onRange: (count: number) => Promise<void> | void;

beforeEach(async () => {
  world = await World.create();
  me = await person();
  content = Buffer.concat([await testImage({ size: 4096 }), randomBytes(SIZE)]);
  library = new TinyLibrary(content);
  onRange = () => undefined;
  let count = 0;
  const site = await world.site(async (request: IncomingMessage, response: ServerResponse) => {
    if (request.url?.startsWith('/v1/imagefile/') === true) await onRange((count += 1));
    return library.handler(request, response);
  });
  await world.instance({ url: site, token: 'TOKEN' });
});
afterEach(async () => {
  await world.close();
  await me.remove();
});

const user = (): Person => me.with({ SCS_HOME: world.path('state') });
const well = async (running: Running): Promise<string> => {
  const { status, stdout, stderr } = await running.ended;
  if (status !== 0) throw new Error(`It ended with ${status}:\n${stdout}\n${stderr}`);
  return stderr;
};

describe('two pulls of the same image at once', () => {
  it('fill the same cache and different files, and leave nothing else', async () => {
    // Both have begun before either gets anything.
    const both = Promise.withResolvers<void>();
    onRange = async (count) => {
      if (count === 2) both.resolve();
      await both.promise;
    };
    await Promise.all(['a.sif', 'b.sif'].map((name) => well(user().startSing('pull', name, IMAGE))));
    for (const name of ['a.sif', 'b.sif']) expect(readFileSync(me.path(name)).equals(content)).toBe(true);
    expect(readdirSync(me.path('.singularity/cache/library'))).toEqual([library.digest]);
    expect(readdirSync(me.home).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('to the same file: it is whole, and both are told the truth', async () => {
    const both = Promise.withResolvers<void>();
    onRange = async (count) => {
      if (count === 2) both.resolve();
      await both.promise;
    };
    const words = ['pull', '--disable-cache', 'a.sif', IMAGE];
    // The same image: what the other one has put there is what was wanted.
    await Promise.all([1, 2].map(() => well(user().startSing(...words))));
    expect(readFileSync(me.path('a.sif')).equals(content)).toBe(true);
    expect(readdirSync(me.home).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });
});

const needs = lacking('unshare');

describe.skipIf(needs)(`a disk that becomes full in the middle${skipped(needs)}`, () => {
  /** The program sees a small disk of its own at `disk`, and says at the end what is on it. */
  const SCRIPT = `mount -t tmpfs -o size=${(SIZE + 8 * MIB) / 1024}k none "$1" && cd "$1" && shift && "$@"; echo "ended with $?, left: $(ls -A)"`;

  it('is a sentence, and nothing half stays', async () => {
    const disk = me.path('disk');
    mkdirSync(disk);
    const running = user().start('unshare', [
      '-rm',
      'sh',
      '-c',
      SCRIPT,
      'sh',
      disk,
      join(CHECKOUT, 'bin/sing'),
      'pull',
      '--disable-cache',
      'image.sif',
      IMAGE,
    ]);
    onRange = (count) => {
      // Somebody else takes what is left, when the first range has come.
      if (count === 2) fill(`/proc/${running.child.pid}/root${disk}/ballast`);
    };
    const { stdout, stderr } = await running.ended;
    expect(stderr).toMatch(/FATAL: {3}No space left in .*\/disk for an image of \d+ bytes/);
    expect(stdout).toContain('ended with 255, left: ballast\n');
  });
});

function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (const size of [MIB, 4096]) while (written(file, Buffer.alloc(size)));
  } finally {
    closeSync(file);
  }
}

function written(file: number, bytes: Buffer): boolean {
  try {
    return writeSync(file, bytes) > 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}
