import { decodeLines, encodeArmor, trimEnd } from './armor.js';
import { pgpError } from './fault.js';
import { PGP_LIMITS } from './limits.js';

/*
 * The cleartext signature framework (RFC 9580 §7), as a strict reader: what is returned is exactly what was signed, and
 * anything around or between the two blocks refuses the message. Other programs ignore text outside the blocks; people
 * then read it as signed (OpenPGP.js CVE-2023-41037 and its like).
 */

const BEGIN_MESSAGE = '-----BEGIN PGP SIGNED MESSAGE-----';
const BEGIN_SIGNATURE = '-----BEGIN PGP SIGNATURE-----';
const END_SIGNATURE = '-----END PGP SIGNATURE-----';

/** A clear-signed message taken apart; whether the signature is good is another question. */
export interface ClearSignedParts {
  /** The signed text with LF, without the last line end and without what is not signed (blanks at line ends). */
  readonly text: Buffer;
  /** The octets that were hashed: the same with CRLF. */
  readonly signedOctets: Buffer;
  /** Signature packets. */
  readonly signature: Buffer;
}

/** True when the data holds the first line of a clear-signed message, wherever. Whether it is one, `splitClearSigned` says. */
export function looksClearSigned(data: Uint8Array): boolean {
  return `\n${Buffer.from(data).toString('latin1')}`.includes(`\n${BEGIN_MESSAGE}`);
}

/**
 * Takes a clear-signed message apart.
 * @throws DomainError `pgp_not_clear_signed` with what is wrong
 */
export function splitClearSigned(data: Uint8Array): ClearSignedParts {
  if (data.length > PGP_LIMITS.messageBytes)
    throw refused(`at most ${PGP_LIMITS.messageBytes} bytes are read`);
  const lines = Buffer.from(data).toString('latin1').split('\n');
  const begin = lines.findIndex((line) => trimEnd(line) !== '');
  if (begin === -1 || trimEnd(lines[begin] ?? '') !== BEGIN_MESSAGE)
    throw refused('it must begin with its BEGIN line, and nothing may stand before it');
  const bodyStart = afterHeaders(lines, begin + 1);
  const bodyEnd = lines.findIndex((line, index) => index >= bodyStart && trimEnd(line) === BEGIN_SIGNATURE);
  if (bodyEnd === -1) throw refused('it has no signature block');
  const end = lines.findIndex((line, index) => index > bodyEnd && trimEnd(line) === END_SIGNATURE);
  if (end === -1) throw refused('its signature block is not closed');
  if (lines.slice(end + 1).some((line) => trimEnd(line) !== '')) throw refused('text stands behind it');
  const body = lines.slice(bodyStart, bodyEnd).map(unescapeLine);
  return {
    text: Buffer.from(body.join('\n'), 'latin1'),
    signedOctets: Buffer.from(body.join('\r\n'), 'latin1'),
    signature: decodeLines(lines.slice(bodyEnd + 1, end)),
  };
}

/** Only `Hash` may stand in the header (RFC 9580 §7.1); its value is not believed: the signature says its own. */
function afterHeaders(lines: readonly string[], from: number): number {
  for (let index = from; index < lines.length; index += 1) {
    const line = trimEnd(lines[index] ?? '');
    if (line === '') return index + 1;
    if (!line.startsWith('Hash: ')) throw refused(`its header holds ${JSON.stringify(line.slice(0, 40))}`);
  }
  throw refused('its header does not end');
}

function unescapeLine(line: string): string {
  if (!line.startsWith('-')) return trimEnd(line);
  if (!line.startsWith('- ')) throw refused('a line begins with an unescaped dash');
  return trimEnd(line.slice(2));
}

/**
 * Puts a clear-signed message together in the form of the field's tools: LF, no checksum, no newline at the end
 * (SIF contract §2.5).
 */
export function joinClearSigned(text: string, hash: string, signature: Uint8Array): Buffer {
  const body = text
    .split('\n')
    .map((line) => (line.startsWith('-') ? `- ${line}` : line))
    .join('\n');
  return Buffer.from(
    `${BEGIN_MESSAGE}\nHash: ${hash}\n\n${body}\n${encodeArmor('SIGNATURE', signature, { checksum: false })}`,
    'utf8',
  );
}

const refused = (why: string) =>
  pgpError('pgp_not_clear_signed', `Expected a PGP clear-signed message: ${why}`);
