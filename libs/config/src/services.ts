/**
 * The services by name, in the order in which they start. The wire contract has the same list (SERVICE_NAMES);
 * configuration may import nothing but core, and a test keeps the two equal.
 */
export const SERVICES = ['auth', 'keystore', 'library', 'builder', 'worker', 'web'] as const;
export type Service = (typeof SERVICES)[number];

/** Services that others and clients reach by a URL; they are also those that keep documents. */
export const ADDRESSED = ['auth', 'keystore', 'library', 'builder'] as const satisfies readonly Service[];
export type AddressedService = (typeof ADDRESSED)[number];

/** Which other services each one calls, or tells clients about. */
export const NEEDS: Readonly<Record<Service, readonly AddressedService[]>> = {
  auth: [],
  keystore: ['auth'],
  library: ['auth'],
  builder: ['auth', 'library'],
  worker: ['auth', 'library', 'builder'],
  web: ['auth', 'keystore', 'library', 'builder'],
};
