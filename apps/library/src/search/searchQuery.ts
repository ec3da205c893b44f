import { DomainError, expected, isLibraryName } from '#libs/core';
import { parseArch } from '../images/archQuery.js';
import { LIMITS } from '../limits.js';
import { readSearchText, type SearchText } from './searchTerms.js';

export interface SearchQuery {
  readonly text: SearchText;
  /** Any of these architectures; undefined: all. */
  readonly arch: readonly string[] | undefined;
  readonly signed: boolean | undefined;
  /** The end of the fingerprint of a key that has signed, lower-case. */
  readonly signer: string | undefined;
  /** The name of an entity: only what lies in it. */
  readonly entity: string | undefined;
  readonly private: boolean | undefined;
  readonly cursor: string | undefined;
  /** Everything but the cursor, always in the same form. */
  readonly form: string;
}

/** Whether images alone are asked for (library contract §6.4: "when arch or signed is present only images are searched"). */
export function wantsImages({ arch, signed, signer }: SearchQuery): boolean {
  return arch !== undefined || signed !== undefined || signer !== undefined;
}

/** @throws DomainError `bad_request`, also for a text that is too short or too long; none is needed beside a signer */
export function readSearchQuery(query: Readonly<Record<string, unknown>>): SearchQuery {
  const signer = readSigner(query['signer']);
  const value = query['value'] ?? (signer === undefined ? undefined : '');
  if (typeof value !== 'string')
    throw new DomainError('bad_request', expected('one text', 'the search', value), {
      reason: 'invalid_search',
    });
  const text = readSearchText(value);
  const isNothing = text.words.length === 0 && signer !== undefined;
  if ((text.keys.length === 0 && !isNothing) || value.length > LIMITS.searchMaximum)
    throw new DomainError(
      'bad_request',
      expected(
        `a word of ${LIMITS.searchMinimum} to ${LIMITS.searchMaximum} characters`,
        'the search',
        value,
      ),
      { reason: 'invalid_search' },
    );
  const asked = {
    arch: readArchs(query['arch']),
    signed: readFlag('signed', query['signed']),
    signer,
    entity: readEntity(query['entity']),
    private: readFlag('private', query['private']),
  };
  const cursor = readText('cursor', query['cursor']);
  return { text, ...asked, cursor, form: JSON.stringify([text.words, ...Object.values(asked)]) };
}

/** "may be a comma list". */
function readArchs(arch: unknown): readonly string[] | undefined {
  const text = readText('arch', arch);
  return text?.split(',', 32).map(parseArch);
}

function readFlag(name: string, value: unknown): boolean | undefined {
  if (value === undefined || value === '') return undefined;
  if (value === 'true') return true;
  if (value === 'false') return false;
  throw new DomainError('bad_request', expected('true or false', name, value));
}

/** A fingerprint, a key id, or its last digits, in groups or not. */
function readSigner(value: unknown): string | undefined {
  const text = readText('signer', value);
  if (text === undefined) return undefined;
  const hex = text.replaceAll(/[\s:]/g, '').replace(/^0x/i, '').toLowerCase();
  if (/^[0-9a-f]{8,64}$/.test(hex)) return hex;
  throw new DomainError('bad_request', expected('8 to 64 hexadecimal digits', 'the signer', text), {
    reason: 'invalid_signer',
    remedy: 'Name a fingerprint, a key id, or its last digits.',
  });
}

function readEntity(value: unknown): string | undefined {
  const name = readText('entity', value)?.toLowerCase();
  if (name === undefined || isLibraryName(name)) return name;
  throw new DomainError('bad_request', expected('a name', 'the entity', name), { reason: 'invalid_name' });
}

function readText(name: string, value: unknown): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw new DomainError('bad_request', expected('one text', name, value));
}
