import type { Output } from '#libs/cli';
import type { UserDetails } from '#libs/contract';
import { printFields, yesNo } from '../print.js';

/** One account as lines. */
export function printUser(out: Output, user: UserDetails): void {
  const roles = Object.entries(user.organisations).map(([name, role]) => `${name} (${role})`);
  printFields(out, [
    ['Username', user.username],
    ['Display name', user.displayName],
    ['E-mail', user.email],
    ['Administrator', yesNo(user.administrator)],
    ['Disabled', yesNo(user.disabled)],
    ['Created', user.createdAt],
    ['Organisations', roles.sort().join(', ')],
  ]);
}
