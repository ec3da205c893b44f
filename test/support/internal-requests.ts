/*
 * Every request that one service makes to another, and what it is answered with when something about it is not as it was sent:
 * a closed list. A service that begins to ask another one, or to ask for something else, fails `no-implicit-trust.spec.ts` until
 * it has a line here. Routes are written as in the descriptions of services: `PUT /v1/build/{id}/_log`.
 */

/** What a request is answered with. Undefined: nothing of the kind can be tried with it. */
export interface Answers {
  /** With no token, signature or proof. 200 is for what anybody may read, and for nothing else. */
  readonly bare: 200 | 400 | 401 | 403 | 404;
  /** With the token of somebody else, who may do with their own what is done here. `own`: it is about whoever presents the token. */
  readonly stranger?: 403 | 404 | 'own';
  /** With the token that the same service was given for another build of the same person. `answered`: it is for that too. */
  readonly otherBuild?: 403 | 'answered' | 'own';
  /** With a token of the right person for another service; 401 unless said otherwise. */
  readonly otherService?: 'own';
  /** Exactly as it was sent, once more: answered unless said otherwise. */
  readonly again?: readonly number[];
}

/** Public keys, the signed feed, the version: nothing in them is anybody's. */
const READ: Answers = { bare: 200 };
/** Of the token itself: which one it is, and from where it was used. Says and changes nothing about any other. */
const USE: Answers = { bare: 401, stranger: 'own', otherBuild: 'own', otherService: 'own' };
/** A proof that is used up, with a token in its body. */
const PROVEN: Answers = { bare: 400, again: [401] };
/** An address that was signed for one piece of one upload, which has arrived since. */
const SIGNED: Answers = { bare: 403, again: [409, 410] };

/** What a build may read is what its person may read: bases lie anywhere. All of it is private here: for all others it does not exist. */
const SHOWN: Answers = { bare: 404, stranger: 404, otherBuild: 'answered' };
/** What a build may write is its own container. */
const WRITTEN: Answers = { bare: 401, stranger: 404, otherBuild: 403 };
/** What a worker says about its build. */
const WORK: Answers = { bare: 401, stranger: 403, otherBuild: 403 };

/** What every service that checks tokens asks of auth. */
const CHECKING = {
  'GET /.well-known/jwks.json': READ,
  'GET /v1/auth/revocations': READ,
} as const;
/** And those that are asked with tokens. */
const USED = { ...CHECKING, 'POST /v1/auth/uses': USE } as const;

type Table = Readonly<Record<string, Readonly<Record<string, Answers>>>>;

/** By pair, `<who asks> → <who is asked>`. There is no other pair. */
export const BETWEEN_SERVICES: Table = {
  'keystore → auth': USED,
  'library → auth': USED,
  // Who has signed an image that arrives, and which keys have changed since: public, and nobody's token goes along.
  'library → keystore': { 'GET /pks/lookup': READ, 'GET /v1/keys/changes': READ },
  'builder → auth': { ...USED, 'POST /v1/auth/token': PROVEN },
  'worker → auth': CHECKING,
  'web → auth': CHECKING,
  'worker → builder': {
    'POST /v1/build/{id}/_ticket': PROVEN,
    'PUT /v1/build/{id}/_log': WORK,
    // Once the build is over nobody holds its context any more.
    'GET /v1/build/{id}/_context': { ...WORK, again: [404] },
    'PUT /v1/build/{id}/_finish': WORK,
  },
  // Who signed the base of a build. The token counts where the site lets nobody else look keys up (SCS_KEYSTORE_READS).
  'worker → keystore': { 'GET /pks/lookup': READ },
  'worker → library': {
    'GET /version': READ,
    'GET /v1/entities/{path}': SHOWN,
    'GET /v1/collections/{path}': SHOWN,
    'POST /v1/collections': WRITTEN,
    'GET /v1/containers/{path}': SHOWN,
    'POST /v1/containers': WRITTEN,
    'GET /v1/images/{path}': SHOWN,
    'GET /v1/imagefile/{path}': SHOWN,
    'POST /v1/images': WRITTEN,
    'POST /v2/imagefile/{image}': WRITTEN,
    'PUT /v2/upload/{upload}/{part}': SIGNED,
    'PUT /v2/imagefile/{image}/_complete': WRITTEN,
    'POST /v2/imagefile/{image}/_multipart': WRITTEN,
    // The address of a part, of an upload that has ended since.
    'PUT /v2/imagefile/{image}/_multipart': { ...WRITTEN, again: [409] },
    'PUT /v2/imagefile/{image}/_multipart_complete': WRITTEN,
    'POST /v2/tags/{container}': WRITTEN,
  },
};

/** What is one's own account's, or everybody's, whoever asks. */
const OWN: Answers = { bare: 401, stranger: 'own' };

/** The same for the programs of people, as far as the scene uses them. */
export const BY_PEOPLE: Table = {
  'people → web': { 'GET /assets/config/config.prod.json': READ },
  'people → auth': { 'GET /v1/token-status': OWN },
  'people → keystore': {
    'GET /pks/lookup': READ,
    // Whether a key was revoked since one has it.
    'GET /v1/keys/changes': READ,
    // Public keys are for everybody to hand in; their owners vouch for what is in them.
    'POST /pks/add': OWN,
  },
  'people → builder': {
    'POST /v1/build-context': OWN,
    'PUT /v1/build-context/{digest}/_upload': { ...SIGNED, bare: 400 },
    'DELETE /v1/build-context/{digest}': OWN,
    'POST /v1/build': { bare: 401, stranger: 403 },
    'GET /v1/build/{id}': { bare: 401, stranger: 404 },
    // A websocket.
    'GET /v1/build-ws/{id}': { bare: 401, stranger: 403 },
  },
  'people → library': {
    'GET /version': READ,
    'GET /v1/entities/{path}': SHOWN,
    'GET /v1/collections/{path}': SHOWN,
    'POST /v1/collections': WRITTEN,
    'GET /v1/containers/{path}': SHOWN,
    'POST /v1/containers': WRITTEN,
    'GET /v1/images/{path}': SHOWN,
    'GET /v1/imagefile/{path}': SHOWN,
    'POST /v1/images': WRITTEN,
    'POST /v2/imagefile/{image}': WRITTEN,
    'PUT /v2/upload/{upload}/{part}': SIGNED,
    'PUT /v2/imagefile/{image}/_complete': WRITTEN,
    'POST /v2/tags/{container}': WRITTEN,
  },
};

/** Everything that is answered without any token, signature or proof, and holds nothing of anybody. */
export const ANONYMOUS_READS: readonly string[] = [
  'GET /version',
  'GET /assets/config/config.prod.json',
  'GET /.well-known/jwks.json',
  'GET /v1/auth/revocations',
  'GET /pks/lookup',
  'GET /v1/keys/changes',
];

/** The headers of requests between services: none but `authorization` could say who asks. */
export const INTERNAL_HEADERS: readonly string[] = [
  'host',
  'connection',
  'user-agent',
  'accept',
  'content-type',
  'content-length',
  'range',
  'authorization',
];

/** Whether a request is one of a route. @param path without its query */
export function isOf(route: string, method: string, path: string): boolean {
  const [wanted, template = ''] = route.split(' ');
  // A star stands for all that follows, other names for one part.
  const pattern = template
    .split('/')
    .map((part) => (part === '{path}' ? '.+' : part.startsWith('{') ? '[^/]+' : part.replaceAll('.', '\\.')))
    .join('/');
  return method === wanted && new RegExp(`^${pattern}$`).test(path);
}
