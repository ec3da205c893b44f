import { DomainError } from '#libs/core';

/*
 * Fields of forms as the octets that they are, in the place where they came: a secret key that somebody sends by mistake can then be
 * wiped, which a string cannot.
 */

const AND = 0x26;
const EQUALS = 0x3d;
const PERCENT = 0x25;
const PLUS = 0x2b;
const BLANK = 0x20;

/**
 * The first value of a field of an `application/x-www-form-urlencoded` body. It is decoded in its place; the rest of the body is wiped.
 * Undefined where there is no such field.
 */
export function formField(body: Buffer, name: string): Buffer | undefined {
  for (let start = 0; start <= body.length;) {
    const and = body.indexOf(AND, start);
    const end = and === -1 ? body.length : and;
    const after = start + name.length;
    if (after < end && body[after] === EQUALS && body.subarray(start, after).toString('latin1') === name)
      return decodedIn(body, after + 1, end);
    start = end + 1;
  }
  return undefined;
}

function decodedIn(body: Buffer, start: number, end: number): Buffer {
  let length = 0;
  for (let at = start; at < end; length += 1) {
    const octet = body[at] ?? 0;
    const escaped = octet === PERCENT && at + 2 < end ? hexIn(body, at + 1) : undefined;
    body[length] = escaped ?? (octet === PLUS ? BLANK : octet);
    at += escaped === undefined ? 1 : 3;
  }
  body.fill(0, length);
  return body.subarray(0, length);
}

/** An octet of two hexadecimal digits; undefined for anything else, which is then taken as it stands. */
function hexIn(body: Buffer, at: number): number | undefined {
  const [high, low] = [digit(body[at]), digit(body[at + 1])];
  return high === undefined || low === undefined ? undefined : high * 16 + low;
}

function digit(octet: number = 0): number | undefined {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const letter = octet | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : undefined;
}

/** Octets of the headers of a part. */
const MOST_HEADERS = 4096;

/**
 * The content of the first part of a `multipart/form-data` body with a name (RFC 7578). Undefined where there is none.
 * @param contentType header of the request
 * @throws DomainError `bad_request` for a body that is no such form
 */
export function formPart(contentType: string, body: Buffer, name: string): Buffer | undefined {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw notAForm();
  const delimiter = Buffer.from(`--${boundary}`);
  let at = body.indexOf(delimiter);
  if (at === -1) throw notAForm();
  for (;;) {
    const headers = at + delimiter.length;
    if (body.subarray(headers, headers + 2).toString('latin1') === '--') return undefined;
    const content = body.indexOf('\r\n\r\n', headers);
    const end = body.indexOf(`\r\n--${boundary}`, headers);
    if (content === -1 || end === -1 || content > end || content - headers > MOST_HEADERS) throw notAForm();
    if (nameIn(body.subarray(headers, content).toString('utf8')) === name)
      return body.subarray(content + 4, end);
    at = end + 2;
  }
}

function nameIn(headers: string): string | undefined {
  const [, quoted, plain] =
    /^content-disposition:[^\r\n]*?;\s*name=(?:"([^"\r\n]*)"|([^\s;"]+))/im.exec(headers) ?? [];
  return quoted ?? plain;
}

const notAForm = (): DomainError =>
  new DomainError('bad_request', 'Expected a form of the type multipart/form-data');
