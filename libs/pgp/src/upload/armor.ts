import { DomainError } from '#libs/core';
import { badKey } from '../packets/fault.js';
import { PACKET_LIMITS } from '../packets/limits.js';
import { Base64Reader } from './base64.js';

/** An armor block of an upload. */
export interface UploadBlock {
  /** The words between `BEGIN PGP` and the dashes. */
  readonly type: string;
  /** As far as it could be read. */
  readonly bytes: Buffer;
  /** What is wrong with it. */
  readonly fault: DomainError | undefined;
}

const BEGIN = Buffer.from('-----BEGIN PGP ');
const END = Buffer.from('-----END PGP ');
const DASHES = '-----';
/** Words of a label, with the dashes behind them. */
const MOST_LABEL = 48;
const NEWLINE = 0x0a;
const COLON = 0x3a;
const DASH = 0x2d;
const EQUALS = 0x3d;
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d]);

/**
 * All armor blocks of a text, whatever stands around and between them, with the repairs of keystore contract §3.5: CRLF, blanks behind
 * lines and for `+`, any headers, no empty line behind BEGIN, no checksum or a wrong one.
 * @throws DomainError `too_large` for too many blocks
 */
export function armorBlocks(text: Uint8Array): UploadBlock[] {
  const blocks: UploadBlock[] = [];
  let open: { readonly type: string; readonly start: number } | undefined;
  const close = (end: number, fault?: string): void => {
    if (open !== undefined) blocks.push(readBlock(open.type, text.subarray(open.start, end), fault));
    open = undefined;
    if (blocks.length > PACKET_LIMITS.blocks)
      throw new DomainError('too_large', `Expected at most ${PACKET_LIMITS.blocks} PGP blocks in one upload`);
  };
  forEachLine(text, (start, end) => {
    if (text[start] !== DASH) return;
    const line = text.subarray(start, end);
    const begun = labelIn(line, BEGIN);
    if (begun !== undefined) {
      close(start, 'ends without its END line');
      open = { type: begun, start: end + 1 };
    } else if (open !== undefined && labelIn(line, END) === open.type) close(start);
  });
  close(text.length, 'ends without its END line');
  return blocks;
}

/** Says where each line begins and ends. Nothing is made of them: two megabytes can be two million lines. */
function forEachLine(text: Uint8Array, say: (start: number, end: number) => void): void {
  for (let start = 0; start < text.length;) {
    const found = text.indexOf(NEWLINE, start);
    const end = found === -1 ? text.length : found;
    say(start, end);
    start = end + 1;
  }
}

/** What a block is called to whoever sent it. A label that no program writes is not repeated: it is whatever somebody wanted to have repeated. */
export const labelOf = (type: string): string =>
  /^[A-Z ,/0-9]{1,40}$/.test(type) ? `a PGP ${type}` : 'a block with an unknown label';

/** The words of a line of dashes; undefined for any other line. */
function labelIn(line: Uint8Array, beginning: Buffer): string | undefined {
  if (line.length > beginning.length + MOST_LABEL || !startsWith(line, beginning)) return undefined;
  const rest = Buffer.from(line.subarray(beginning.length, endOf(line))).toString('latin1');
  return rest.endsWith(DASHES) ? rest.slice(0, -DASHES.length) : undefined;
}

function startsWith(line: Uint8Array, beginning: Buffer): boolean {
  return line.length >= beginning.length && beginning.equals(line.subarray(0, beginning.length));
}

/** Where a line ends, without blanks, tabs and carriage return. */
function endOf(line: Uint8Array): number {
  let end = line.length;
  while (end > 0 && BLANKS.has(line[end - 1] ?? 0)) end -= 1;
  return end;
}

function readBlock(type: string, text: Uint8Array, fault: string | undefined): UploadBlock {
  const reader = new Base64Reader(text.length);
  let isHeader = true;
  let isOver = false;
  let wrong = fault;
  forEachLine(text, (start, stop) => {
    const line = start === stop ? undefined : text.subarray(start, stop);
    const end = line === undefined ? 0 : endOf(line);
    if (line === undefined || end === 0) {
      isHeader = false;
      return;
    }
    // Base64 holds no colon, so headers are told from it even where the empty line between them is missing.
    if (isHeader && line.includes(COLON)) return;
    isHeader = false;
    if (isOver) wrong ??= 'goes on behind its checksum';
    else if (isChecksum(line, end)) isOver = true;
    else reader.add(line.subarray(0, endOfBase64(line)));
  });
  if (!reader.isWhole) wrong ??= 'holds no base64, or not all of it';
  const what = wrong === undefined ? undefined : badKey(`In the upload ${labelOf(type)} ${wrong}`);
  return { type, bytes: reader.bytes, fault: what };
}

/** Four characters behind an equals sign: what they say does not matter, signatures decide about the content. */
const isChecksum = (line: Uint8Array, end: number): boolean =>
  line[0] === EQUALS && end <= 5 && (line[1] ?? EQUALS) !== EQUALS && end > 1;

/** Blanks may be part of it. */
function endOfBase64(line: Uint8Array): number {
  let end = line.length;
  while (end > 0 && (line[end - 1] === 0x0d || line[end - 1] === 0x09)) end -= 1;
  return end;
}
