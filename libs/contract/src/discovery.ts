import { z } from 'zod';

/** Where clients find the services below the front end (library contract §2.1, builder contract §1). */
export const DISCOVERY_PATH = '/assets/config/config.prod.json';

const Entry = z.object({ uri: z.url().optional() }).catchall(z.unknown());

/** "Every top-level value of the discovery document must be a JSON object" (library contract §1). */
export const DiscoveryDocument = z.record(z.string(), Entry);
export type DiscoveryDocument = z.infer<typeof DiscoveryDocument>;

/** `GET /v1/rbac/users/current`, without an envelope (library contract §2.3). */
export const CurrentUser = z.object({
  username: z.string(),
  email: z.string().optional(),
  realname: z.string().optional(),
  /** What a registry knows the person by. */
  oidc_user_meta: z.object({ secret: z.string().nullish() }).nullish(),
});
export type CurrentUser = z.infer<typeof CurrentUser>;
