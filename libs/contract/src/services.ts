import { z } from 'zod';

/** Everything that can run in a process of ours, in the order in which it starts. */
export const SERVICE_NAMES = ['auth', 'keystore', 'library', 'builder', 'worker', 'web'] as const;
export const ServiceName = z.enum(SERVICE_NAMES);
export type ServiceName = z.infer<typeof ServiceName>;

/** The services that answer requests of others and are therefore found by `SCS_<SERVICE>_URL`. */
export type AudienceName = Exclude<ServiceName, 'worker' | 'web'>;
