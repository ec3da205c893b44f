import type { OrganisationRecord } from '#libs/contract';
import type { Output } from '#libs/cli';
import { printFields, yesNo } from '../print.js';

/** One organisation as lines. */
export function printOrganisation(out: Output, organisation: OrganisationRecord): void {
  printFields(out, [
    ['Name', organisation.name],
    ['Display name', organisation.displayName],
    ['Members', String(organisation.members)],
    ['Disabled', yesNo(organisation.disabled)],
    ['Created', organisation.createdAt],
    ['Your role', organisation.role ?? ''],
  ]);
}
