import { expected } from '#libs/core';
import { checkIndexValue, type CollectionPlan } from './checks.js';
import type { IndexValue } from './port.js';

/** Whether an indexed field holds strings or numbers, as far as this process has seen. */
export type KeyTypes = Map<string, 'string' | 'number'>;

/**
 * The values of a document's indexed fields, null where it has none.
 * @throws DomainError `bad_request` for a string that is too long or a number that is not finite;
 *   TypeError for another type: the databases do not agree on where that would be sorted
 */
export function collectionKeys(
  plan: CollectionPlan,
  document: object,
  types: KeyTypes,
): (IndexValue | null)[] {
  const members = document as Readonly<Record<string, unknown>>;
  return plan.fields.map((field) => {
    const value = Object.hasOwn(members, field) ? members[field] : undefined;
    if (value === undefined) return null;
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new TypeError(
        expected('a string, a number or nothing', `the indexed field ${field} of ${plan.name}`, value),
      );
    const known = types.get(field) ?? typeof value;
    if (known !== typeof value)
      throw new TypeError(
        expected(`a ${known} as before`, `the indexed field ${field} of ${plan.name}`, value),
      );
    types.set(field, typeof value === 'string' ? 'string' : 'number');
    return checkIndexValue(value, `the field ${field}`);
  });
}
