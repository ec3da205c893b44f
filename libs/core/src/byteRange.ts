/** Bytes `start` to `end`, both inclusive, of something that has `size` bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a Range header asks for: everything, one range, or nothing that exists. */
export type RangeRequest =
  { readonly kind: 'whole' } | ({ readonly kind: 'part' } & ByteRange) | { readonly kind: 'unsatisfiable' };

/** Longer Range headers are ignored: nobody means them. */
const MAXIMUM_HEADER = 256;
const ONE_RANGE = /^(?:(\d+)-(\d*)|-(\d+))$/;

/**
 * What to send for a Range header over `size` bytes (RFC 9110 §14.2). Whatever is not one valid byte range is ignored,
 * as the RFC allows: unknown units, several ranges, syntax errors.
 */
export function readRange(header: string | undefined, size: number): RangeRequest {
  const whole = { kind: 'whole' } as const;
  if (header === undefined || header.length > MAXIMUM_HEADER) return whole;
  const [unit, spec, ...more] = header.split('=');
  // §14.1: "range units are case-insensitive".
  if (unit?.trim().toLowerCase() !== 'bytes' || spec === undefined || more.length > 0) return whole;
  const match = ONE_RANGE.exec(spec.trim());
  if (!match) return whole;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    // §14.1.2: a suffix longer than the representation is all of it; a suffix of zero bytes is unsatisfiable.
    const length = Math.min(Number(suffix), size);
    return length === 0 ? { kind: 'unsatisfiable' } : { kind: 'part', start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === undefined || last === '' ? Infinity : Number(last);
  // §14.1.1: "An int-range is invalid if the last-pos value is present and less than first-pos": ignored, not 416.
  if (end < start) return whole;
  if (start >= size) return { kind: 'unsatisfiable' };
  return { kind: 'part', start, end: Math.min(end, size - 1) };
}

/** The Content-Range value of a 206 answer (RFC 9110 §14.4). */
export function contentRange(range: ByteRange, size: number): string {
  return `bytes ${range.start}-${range.end}/${size}`;
}

/** The Content-Range value of a 416 answer. */
export function unsatisfiedRange(size: number): string {
  return `bytes */${size}`;
}

/** Reads the Content-Range of a 206 answer; undefined when it is not one range with a known size. */
export function parseContentRange(
  header: string | undefined,
): (ByteRange & { readonly size: number }) | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(header ?? '');
  if (!match) return undefined;
  const [start, end, size] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return start <= end && end < size ? { start, end, size } : undefined;
}

/**
 * Cuts `size` bytes into ranges of `length` bytes, the last one shorter: ceil(size / length) of them (library contract §6.1).
 * @throws RangeError when `length` is not a positive integer
 */
export function splitIntoRanges(size: number, length: number): ByteRange[] {
  if (!Number.isSafeInteger(length) || length <= 0)
    throw new RangeError(`Expected a positive length, got ${length}`);
  const ranges: ByteRange[] = [];
  for (let start = 0; start < size; start += length)
    ranges.push({ start, end: Math.min(start + length, size) - 1 });
  return ranges;
}
