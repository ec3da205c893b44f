import { DomainError } from '#libs/core';

/**
 * The one flag of several that was given.
 * @throws DomainError (usage, status 1) for none or more than one
 */
export function oneOf<const N extends string>(
  command: string,
  names: readonly N[],
  flags: Readonly<Record<N, boolean>>,
): N {
  const given = names.filter((name) => flags[name]);
  const [first] = given;
  if (first !== undefined && given.length === 1) return first;
  const words = names.map((name) => `--${name}`);
  throw new DomainError(
    'bad_request',
    `Error for command "${command}": expected one of ${words.join(', ')}, got ${given.length === 0 ? 'none' : given.map((name) => `--${name}`).join(' and ')}`,
    { reason: 'usage', exitCode: 1 },
  );
}
