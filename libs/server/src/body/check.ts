import { DomainError } from '#libs/core';
import type { z } from 'zod';

/** More would only repeat the first ones. */
const MOST_FAULTS = 5;

/**
 * Checks a value that came from outside against a schema.
 * @param what how the message calls the value, for example `the body`
 * @throws DomainError `bad_request` with the place and the reason of the first faults
 */
export function check<T extends z.ZodType>(schema: T, value: unknown, what: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.slice(0, MOST_FAULTS).map((issue) => {
    const place = issue.path.map(String).join('.');
    return place === '' ? issue.message : `${place}: ${issue.message}`;
  });
  throw new DomainError(
    'bad_request',
    `${what[0]?.toUpperCase()}${what.slice(1)} is not valid: ${faults.join('; ')}`,
  );
}
