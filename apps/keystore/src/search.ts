import { DomainError, expected } from '#libs/core';
import { LIMITS } from './limits.js';
import { emailIn, searchedWords } from './words.js';

/** What somebody looks for, as a typed value (keystore contract §1.5). Hex and addresses are lower case. */
export type Search =
  | { readonly kind: 'fingerprint'; readonly hex: string }
  | { readonly kind: 'key_id'; readonly hex: string }
  | { readonly kind: 'short_key_id'; readonly hex: string }
  | { readonly kind: 'email'; readonly address: string }
  | { readonly kind: 'user_id'; readonly text: string }
  | { readonly kind: 'words'; readonly words: readonly string[] };

/**
 * Every reading of a search term, in the order in which they are tried: the first that finds something is the answer.
 * @param term decoded
 * @param exact whole addresses and user ids only, no words
 * @throws DomainError `bad_request` for an empty or overlong term, a NUL, hex of an impossible length, or a whole domain
 */
export function parseSearch(term: string, exact = false): Search[] {
  const text = term.trim();
  if (text === '') throw new DomainError('bad_request', 'Expected something to search for');
  if (Buffer.byteLength(text) > LIMITS.searchBytes) {
    throw new DomainError('bad_request', expected(`at most ${LIMITS.searchBytes} bytes`, 'search', text));
  }
  if (text.includes('\0')) throw new DomainError('bad_request', expected('no NUL', 'search', text));
  if (/^0x/i.test(text)) return [parseHex(text.slice(2), text)];
  const compact = text.replace(/[\s:]/g, '');
  if (/^(?:[0-9a-f]{8}|[0-9a-f]{16}|[0-9a-f]{40}|[0-9a-f]{64})$/i.test(compact)) {
    const hex = parseHex(compact, text);
    // A name can look like a key id, for example "Deadbeef".
    return compact.length <= 16 ? [hex, ...texts(text, exact)] : [hex];
  }
  const address = emailIn(text);
  if (address !== undefined) return [{ kind: 'email', address }];
  if (/^<?@/.test(text))
    throw new DomainError('bad_request', 'Everybody of a domain is not listed: name an address', {
      reason: 'domain_search',
    });
  return texts(text, exact);
}

function parseHex(digits: string, shown: string): Search {
  const hex = digits.toLowerCase();
  if (!/^[0-9a-f]+$/.test(hex))
    throw new DomainError('bad_request', expected('hexadecimal digits after 0x', 'search', shown));
  if (hex.length === 8) return { kind: 'short_key_id', hex };
  // `verify` of stock clients prints a key id as a number and loses its leading zeros (contract §0 rule 9).
  if (hex.length >= 9 && hex.length <= 16) return { kind: 'key_id', hex: hex.padStart(16, '0') };
  if (hex.length === 32 || hex.length === 40 || hex.length === 64) return { kind: 'fingerprint', hex };
  throw new DomainError('bad_request', expected('8, 16, 40 or 64 hexadecimal digits', 'search', shown));
}

function texts(text: string, exact: boolean): Search[] {
  if (exact) return text.includes('@') ? [] : [{ kind: 'user_id', text }];
  return searchedWords(text).map((words) => ({ kind: 'words', words }));
}
