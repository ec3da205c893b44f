import type { RouteAccess } from './routes.js';

/**
 * Every route that answers without a token of ours, and why that is right. This list is closed: a process with an open route
 * that is not in it does not start, and a test walks the routes of all services. To open a route is to change this table.
 */
export const OPEN_ROUTES: Readonly<Record<string, string>> = {
  // Every process
  'GET /version': 'asked by clients before they have a token (library contract §2.4)',
  'GET /:prefix/version': 'the same (keystore contract §1.10)',
  'GET /:prefix/:more/version': 'the same (keystore contract §1.10)',
  'GET /healthz': 'asked by process managers; says up or not',
  'GET /readyz': 'asked by load balancers; names what is not ready, no data',
  'GET /docs/*': 'which routes there are and what they take; no data',
  // auth
  'GET /.well-known/jwks.json': 'public keys, for everybody who checks tokens',
  'GET /v1/auth/revocations':
    'signed by the same keys; holds random ids and what is sealed, and must be readable when a token is what ended',
  'GET /v1/token-status': 'checks the token itself, because a bad one is 404 here (library contract §2.3)',
  'POST /v1/auth/token': 'checks the client assertion and the subject token in its body (RFC 8693, RFC 7523)',
  'POST /v1/auth/uses': 'checks the token itself, whichever service it is good for; keeps where it was used',
  'GET /auth/sign-in': 'the form that asks for a password',
  'POST /auth/sign-in': 'checks the password and where the form came from',
  'POST /auth/sign-out': 'checks the session and its form',
  'GET /auth/account': 'checks the session (ADR 10)',
  'POST /auth/account/tokens': 'checks the session and its form',
  'POST /auth/account/tokens/:id/revoke': 'checks the session and its form',
  // web
  'GET /': 'the start page says what this is and where to go',
  'GET /auth/tokens': 'leads to where tokens are made (library contract §2.3)',
  'GET /ca.pem': 'the public half of the own certificate authority',
  'GET /assets/config/config.prod.json': 'discovery document, read before login (library contract §2.1)',
  'GET /library/:entity/:collection/:container':
    'made from the address alone; says nothing about what there is',
  // keystore
  'GET /pks/lookup':
    'public keys are public (keystore contract); with SCS_KEYSTORE_READS=token it asks for one',
  'GET /pks/stats': 'what the keystore takes and how often it may be asked; no data',
  'GET /pks/health': 'says up or not, as other key servers do',
  'POST /pks/add':
    'takes without a token what SCS_KEYSTORE_ANONYMOUS and SCS_KEYSTORE_NETWORKS say, which is nothing unless they are set; gpg has no token',
  'POST /pks/hashquery': 'says that it is not offered',
  'OPTIONS /pks/lookup': 'asked by browsers before a request; no data',
  'OPTIONS /pks/stats': 'asked by browsers before a request; no data',
  'OPTIONS /pks/add': 'asked by browsers before a request; no data',
  'GET /pks/v2/certs/by-vfingerprint/:vfp': 'as GET /pks/lookup',
  'GET /pks/v2/certs/by-vfingerprint/:version/:fingerprint': 'as GET /pks/lookup',
  'GET /pks/v2/certs/by-keyid/:id': 'as GET /pks/lookup',
  'GET /pks/v2/certs/by-identity/:identity': 'as GET /pks/lookup',
  'GET /pks/v2/index/:term': 'as GET /pks/lookup',
  'POST /pks/v2/certs': 'as POST /pks/add',
  'OPTIONS /pks/v2/*': 'says what may be asked',
  'GET /pks/v2/*': 'says that it is refused, or not offered',
  'POST /pks/v2/*': 'says that it is not offered',
  'PUT /pks/v2/*': 'says that it is not offered',
  'GET /.well-known/openpgpkey/:domain/hu/:hash':
    'as GET /pks/lookup, of the domains that the operator has named',
  'GET /.well-known/openpgpkey/hu/:hash': 'as GET /pks/lookup, of the domains that the operator has named',
  'GET /.well-known/openpgpkey/:domain/policy': 'an empty file',
  'GET /.well-known/openpgpkey/policy': 'an empty file',
  'GET /v1/keys/changes':
    'fingerprints of public keys, and which of them are revoked: clients without a token must hear of it',
  'GET /v1/keys/events': 'the same as it happens',
  'GET /v1/keyrings/:file': 'public keys that members have put there for others (ADR 14)',
  'GET /v1/keys/:fingerprint': 'what anybody can read in the key; policy hides names and what is not served',
  // library
  'GET /v1/entities/*': 'public objects; policy hides the rest (library contract §5)',
  'GET /v1/collections/*': 'public objects; policy hides the rest',
  'GET /v1/containers/*': 'public objects; policy hides the rest',
  'GET /v1/images/*': 'public objects; policy hides the rest',
  'GET /v1/imagefile/*': 'public objects; policy hides the rest',
  'PUT /v2/upload/:upload/:part': 'a signed address for one part of one upload (library contract rule 14)',
  'GET /v1/search': 'finds public objects; policy hides the rest (library contract §6.4)',
  'GET /v1/manage/collections/:entity': 'lists public objects; policy hides the rest',
  'GET /v1/manage/containers/:entity/:collection': 'lists public objects; policy hides the rest',
  'GET /v1/manage/images/:entity/:collection/:container': 'lists what is in a public container',
  'GET /v1/manage/downloads/:entity/:collection/:container': 'numbers of a public container',
  'GET /v1/manage/tags/:entity/:collection/:container': 'lists what is in a public container',
  'GET /v1/manage/signatures/:entity/:collection/:container/:ref':
    'which public keys have signed a public image; policy hides the rest',
  'GET /v1/manage/details/:entity/:collection/:container/:ref': 'what anybody can read in a public image',
  'GET /v1/events': 'tells what happens to public objects; policy hides the rest (ADR 27)',
  'GET /v1/oci-redirect': 'answers 404 without a registry (library contract §7.1)',
  // builder
  'PUT /v1/build-context/:digest/_upload': 'signed address with an end (builder contract §3.11)',
  'POST /v1/build/:id/_ticket': 'checks the proof of a worker in its body (RFC 7523)',
};

/**
 * Finds open routes that nobody allowed.
 * @returns one sentence for each; empty = all is well
 */
export function unlistedOpenRoutes(routes: readonly RouteAccess[]): string[] {
  return routes
    .filter((route) => route.access.kind !== 'token')
    .filter((route) => OPEN_ROUTES[`${route.method} ${route.path}`] === undefined)
    .map(
      (route) =>
        `${route.method} ${route.path} (${route.handler}) is ${route.access.kind}, but not in the table of open routes`,
    );
}

/** Stops a process whose routes are more open than the table says. @throws Error naming every such route */
export function requireListedRoutes(routes: readonly RouteAccess[]): void {
  const faults = unlistedOpenRoutes(routes);
  if (faults.length > 0) throw new Error(faults.join('\n'));
}
