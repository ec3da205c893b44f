import { DomainError, formatSize } from '#libs/core';

/** Whose quota something does not fit into, in bytes. */
export interface Shortage {
  readonly whose: 'entity' | 'account';
  readonly name: string;
  readonly quota: number;
  readonly used: number;
  /** By uploads under way. */
  readonly reserved: number;
  readonly wanted: number;
}

/** The error of whoever is full (library contract §6.5: a clear message, because clients show it). */
export function overQuota({ whose, name, quota, used, reserved, wanted }: Shortage): DomainError {
  const open = reserved > 0 ? ` and ${inBytes(reserved)} are reserved by uploads under way` : '';
  return new DomainError(
    'out_of_space',
    `The quota of the ${whose} ${name} is ${inBytes(quota)}, ${inBytes(used)} are used${open}: ${inBytes(wanted)} more do not fit`,
    {
      reason: whose === 'entity' ? 'over_quota' : 'over_account_quota',
      remedy:
        whose === 'entity'
          ? `Delete images of ${name} that nobody needs, or ask an administrator for more.`
          : `Delete images that ${name} pushed and nobody needs, in whichever entity, or ask an administrator for more.`,
    },
  );
}

function inBytes(bytes: number): string {
  return `${formatSize(bytes)} (${bytes} bytes)`;
}
