import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';

/** The SIF test vectors of test/fixtures/sif; README.md there says how each was made and what stock tools answer. */
export const SIF_FIXTURES = join(import.meta.dirname, '../fixtures/sif');

const ExpectedObject = z.object({
  slot: z.number(),
  id: z.number(),
  type: z.number(),
  groupRaw: z.number(),
  linkRaw: z.number(),
  offset: z.number(),
  size: z.number(),
  sizeWithPadding: z.number(),
  createdAt: z.number(),
  modifiedAt: z.number(),
  name: z.string(),
  extraHex: z.string(),
  descriptorIntegritySha256: z.string(),
  dataSha256: z.string(),
});

const ExpectedImage = z.object({
  parsed: z.object({
    launch: z.string(),
    arch: z.string(),
    uuid: z.string(),
    createdAt: z.number(),
    modifiedAt: z.number(),
    descriptorsFree: z.number(),
    descriptorsTotal: z.number(),
    descriptorsOffset: z.number(),
    descriptorsSize: z.number(),
    dataOffset: z.number(),
    dataSize: z.number(),
    headerIntegritySha256: z.string(),
    objects: z.array(ExpectedObject),
  }),
  verify: z
    .array(
      z.object({
        args: z.array(z.string()),
        exit: z.number(),
        ok: z.boolean(),
        error: z.string(),
        verifiedObjects: z.array(z.number()),
        signers: z.array(z.string()),
      }),
    )
    .default([]),
});
export type ExpectedImage = z.infer<typeof ExpectedImage>;

const Answer = z.object({ exit: z.number(), error: z.string() });
const HostileAnswers = z.record(z.string(), z.union([Answer, z.string()]));
export type Answer = z.infer<typeof Answer>;

const Expected = z.object({
  hostile: z.record(z.string(), HostileAnswers),
  images: z.record(z.string(), ExpectedImage),
  gzipped: z.record(z.string(), ExpectedImage),
});

const json = (name: string): unknown => JSON.parse(readFileSync(join(SIF_FIXTURES, name), 'utf8'));

/** What is known about every well-formed, tampered and legacy image: file name → facts. */
export function expectedImages(): [string, ExpectedImage][] {
  const { images, gzipped } = Expected.parse(json('expected.json'));
  return Object.entries({ ...images, ...gzipped });
}

/** What a safe reader does with a hostile image: refuse it, refuse one object of it, warn, or accept it. */
export type HostileClass = 'R' | 'O' | 'W' | 'A';

/** Every hostile image: its class (README.md there), and what the stock program answered, by command. */
export function hostileImages(): { name: string; kind: HostileClass; answers: Record<string, Answer> }[] {
  const { hostile } = Expected.parse(json('expected.json'));
  const readme = readFileSync(join(SIF_FIXTURES, 'README.md'), 'utf8');
  const kinds = new Map(
    [...readme.matchAll(/^\| `([^`]+)` \| ([ROWA]) \|/gm)].map(([, name, kind]) => [name, kind]),
  );
  return Object.entries(hostile).map(([name, answers]) => ({
    name,
    kind: kinds.get(name.slice('hostile/'.length, -'.sif'.length)) as HostileClass,
    answers: Object.fromEntries(
      Object.entries(answers).filter((entry): entry is [string, Answer] => typeof entry[1] !== 'string'),
    ),
  }));
}

/** What siftool prints: file name → list, header, and info by object id. */
export function siftoolTexts(): [string, { list: string; header: string; info: Record<string, string> }][] {
  const Texts = z.object({ list: z.string(), header: z.string(), info: z.record(z.string(), z.string()) });
  return Object.entries(z.record(z.string(), Texts).parse(json('siftool.json')));
}

/** The bytes of a fixture by its name; `.gz` files are unpacked. */
export function sifFixture(name: string): Buffer {
  const bytes = readFileSync(join(SIF_FIXTURES, name));
  return name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}

/** Names of the fixtures in a folder, `folder/name.sif`. */
export function sifFixtureNames(folder: string): string[] {
  return readdirSync(join(SIF_FIXTURES, folder)).map((name) => `${folder}/${name}`);
}
