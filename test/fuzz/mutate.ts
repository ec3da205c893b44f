import type { Random } from './random.js';

/** Numbers at which readers make mistakes. */
const NUMBERS = [
  0n,
  1n,
  2n,
  7n,
  15n,
  16n,
  127n,
  128n,
  255n,
  256n,
  585n,
  4095n,
  4096n,
  32767n,
  32768n,
  65535n,
  65536n,
].flatMap((number) => [number, -number]);
const LARGE = [
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];

export interface MutateOptions {
  /** Texts and bytes that mean something to the reader. */
  readonly words: readonly Buffer[];
  /** What else is in the corpus. */
  readonly others: readonly Buffer[];
  /** Bytes of an input at most. */
  readonly longest: number;
}

type Change = (input: Buffer, random: Random, options: MutateOptions) => Buffer;

/** Changes an input in one to eight ways. */
export function mutate(input: Buffer, random: Random, options: MutateOptions): Buffer {
  let changed = input;
  for (let times = 1 << random.below(4); times > 0; times -= 1)
    changed = random.of(CHANGES)(changed, random, options).subarray(0, options.longest);
  return changed;
}

const CHANGES: readonly Change[] = [
  (input, random) =>
    at(input, random, (bytes, place) => void (bytes[place] = (bytes[place] ?? 0) ^ (1 << random.below(8)))),
  (input, random) => at(input, random, (bytes, place) => void (bytes[place] = random.below(256))),
  number,
  number,
  word,
  (input, random, { words }) =>
    insert(input, random.below(input.length + 1), words.length > 0 ? random.of(words) : Buffer.of(0)),
  (input, random) => {
    const [from, to] = stretch(input, random);
    return Buffer.concat([input.subarray(0, from), input.subarray(to)]);
  },
  (input, random) => {
    const [from, to] = stretch(input, random);
    return insert(input, random.below(input.length + 1), input.subarray(from, to));
  },
  (input, random) =>
    insert(input, random.below(input.length + 1), Buffer.alloc(random.below(64), random.below(256))),
  (input, random) => {
    const [from, to] = stretch(input, random);
    return Buffer.from(input).fill(random.of([0, 0xff, random.below(256)]), from, to);
  },
  (input, random, { others }) => {
    const other = random.of(others);
    const [from, to] = stretch(other, random);
    return insert(input, random.below(input.length + 1), other.subarray(from, to));
  },
  (input, random, { others }) => {
    const other = random.of(others);
    const cut = random.below(Math.min(input.length, other.length) + 1);
    return Buffer.concat([input.subarray(0, cut), other.subarray(cut)]);
  },
  (input, random) => input.subarray(0, random.below(input.length + 1)),
];

/** Puts a number that is hard to handle somewhere, in one of the forms that formats have for numbers. */
function number(input: Buffer, random: Random): Buffer {
  const value = random.of(random.below(3) === 0 ? LARGE : NUMBERS);
  if (random.below(8) === 0) return insert(input, random.below(input.length + 1), Buffer.from(String(value)));
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt.asIntN(64, value));
  const width = random.of([1, 2, 4, 8]);
  const part = bytes.subarray(0, width);
  if (random.below(2) === 0) part.reverse();
  return overwrite(input, random, part);
}

function word(input: Buffer, random: Random, { words }: MutateOptions): Buffer {
  return words.length === 0 ? input : overwrite(input, random, random.of(words));
}

function overwrite(input: Buffer, random: Random, bytes: Buffer): Buffer {
  const changed = Buffer.from(input);
  if (bytes.length <= changed.length) bytes.copy(changed, random.below(changed.length - bytes.length + 1));
  return changed;
}

function insert(input: Buffer, place: number, bytes: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, place), bytes, input.subarray(place)]);
}

function at(input: Buffer, random: Random, change: (bytes: Buffer, place: number) => void): Buffer {
  const changed = Buffer.from(input);
  if (changed.length > 0) change(changed, random.below(changed.length));
  return changed;
}

function stretch(input: Buffer, random: Random): [from: number, to: number] {
  const from = random.below(input.length + 1);
  return [from, Math.min(input.length, from + random.below(random.of([4, 64, 1024]) + 1))];
}
