import { parseNamePath } from '#libs/core';

/** The names in an address, as they came. */
export interface ContainerParams {
  readonly entity: string;
  readonly collection?: string;
  readonly container?: string;
}

/**
 * `entity[/collection[/container]]`, checked; capitals are lowered, as everywhere in the library.
 * @throws DomainError `bad_request`
 */
export function pathOf({ entity, collection, container }: ContainerParams): string {
  const names = [entity, collection, container].filter((name) => name !== undefined);
  return parseNamePath(
    names.join('/'),
    names.map(() => ''),
  ).join('/');
}
