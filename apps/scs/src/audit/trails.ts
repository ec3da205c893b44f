import type { Flags, Surroundings } from '#libs/cli';
import { AUDITED_SERVICES, type AudienceName } from '#libs/contract';
import { DomainError } from '#libs/core';
import { type Instance, withInstance } from '../instance.js';
import type { OpenedTrail } from './opened-trail.js';

/** For commands that read trails. */
export const trailFlags = {
  service: {
    type: 'list',
    value: 'SERVICE',
    commas: true,
    summary: `of these services only: ${AUDITED_SERVICES.join(', ')}`,
  },
  offline: {
    type: 'boolean',
    summary: 'read the databases of an instance that is stopped, with the settings that it is started with',
  },
} as const satisfies Flags;

export interface TrailFlags {
  readonly service: readonly string[];
  readonly offline: boolean;
}

/** What the discovery document calls the services. */
const ADDRESS_NAMES: Readonly<Record<AudienceName, string>> = {
  auth: 'token',
  keystore: 'keystore',
  library: 'library',
  builder: 'builder',
};

/**
 * Runs work on the trails that the flags choose, and closes what was opened.
 * @throws DomainError for a service that is none, and when the instance or a database cannot be reached
 */
export async function withTrails<T>(
  place: Surroundings,
  flags: TrailFlags,
  work: (trails: readonly OpenedTrail[]) => Promise<T>,
): Promise<T> {
  const services = chosen(flags.service);
  if (flags.offline) {
    const { withStoppedTrails } = await import('./offline.store.js');
    return withStoppedTrails(place.env.all(), flags.service.length === 0 ? undefined : services, work);
  }
  const { AuditClient } = await import('#libs/client');
  return withInstance(place, (instance) =>
    work(
      services.map((service) => {
        const client = new AuditClient(instance.at(addressOf(instance, service)), { signal: place.signal });
        return {
          service,
          source: client.source(service),
          list: (filter, limit) => client.list(service, filter, limit),
          newestHeads: () => client.newestHeads(service),
        };
      }),
    ),
  );
}

function chosen(names: readonly string[]): AudienceName[] {
  const unknown = names.find((name) => !(AUDITED_SERVICES as string[]).includes(name));
  if (unknown !== undefined)
    throw new DomainError(
      'bad_request',
      `Expected ${AUDITED_SERVICES.join(', ')} for --service, got ${JSON.stringify(unknown)}`,
    );
  return AUDITED_SERVICES.filter((service) => names.length === 0 || names.includes(service));
}

function addressOf({ services, url }: Instance, service: AudienceName): string {
  return services.get(ADDRESS_NAMES[service]) ?? url;
}
