import { DomainError, expected } from '#libs/core';

const ARCH = /^[a-z0-9][a-z0-9._-]{0,31}$/;

/** A Go name of an architecture: `amd64`, `arm64`, `386` … @throws DomainError `bad_request` */
export function parseArch(text: string): string {
  if (!ARCH.test(text))
    throw new DomainError('bad_request', expected('a name like amd64', 'the architecture', text), {
      reason: 'invalid_arch',
    });
  return text;
}

/**
 * The architecture in the query of an image request; undefined when there is none. Singularity 3.7.0 escapes the equals
 * sign (`?arch%3Damd64`), so that the whole is a name without a value (library contract §3).
 * @throws DomainError `bad_request`
 */
export function archOfQuery(query: Readonly<Record<string, unknown>>): string | undefined {
  const escaped = Object.keys(query).find((key) => key.startsWith('arch='));
  const value = escaped === undefined ? query['arch'] : escaped.slice('arch='.length);
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string')
    throw new DomainError('bad_request', 'Expected one architecture, got several');
  return parseArch(value);
}
