import type { ScopeName } from '#libs/contract';

/*
 * Who may do what, at every route of every service: the one table. From it `expected.ts` computes what every caller has to get
 * for every object, and `test/http/access` asks for all of it. A route without a row fails the tests, and so does a row without
 * a route. A new endpoint needs one line here, usually with a rule that is already there.
 */

/**
 * What a caller is to an object, least first. What belongs to an account is its `owner`'s, and everybody else is a `stranger` to
 * it. An `admin` counts by rank and scope together. A `worker` has a token that was exchanged for this very build.
 */
export const STANDINGS = ['nobody', 'stranger', 'reader', 'writer', 'owner', 'admin', 'worker'] as const;
export type Standing = (typeof STANDINGS)[number];

/** What a request is about. */
export type ObjectName =
  /** Nothing that belongs to anybody. */
  | 'nothing'
  /** Of the caller's own account, and private where things can be. */
  | 'own'
  /** Of an organisation whose members are owner, writer and reader; everybody may know of the public one. */
  | 'public'
  | 'private'
  /** Of another person, or of a robot of that organisation. */
  | "another person's"
  | "a robot's"
  /** The very token that is presented; the very member who asks. */
  | 'itself'
  /** What proves itself by more than a token: an address as it was signed, a form as it was sent; and the same with a false proof. */
  | 'proven'
  | 'forged';

export interface Rule {
  /**
   * What says who asks. `token`: nothing else is taken. `token or password`: also user name and password. `anybody`: nothing is
   * needed, but a bad token is refused. `session`: the cookie of the pages; without one the answer leads to where people sign in.
   * `the request itself`: a signature or a password inside of it; the headers are not looked at.
   */
  readonly by: 'token' | 'token or password' | 'anybody' | 'session' | 'the request itself';
  /** The scope that the token has to carry: without it 403, before anything is looked up. */
  readonly scope?: ScopeName;
  /** A scope that is asked for when it is known what the request is about, and that the caller may know of it. */
  readonly scopeThere?: ScopeName;
  /** Any of these scopes lets a token know of what is private. Undefined: every token does. */
  readonly reachedBy?: readonly ScopeName[];
  /** The least that a caller has to be to the object, and to a public one where that is less. */
  readonly may: Standing;
  readonly mayPublic?: Standing;
  /** The least that somebody has to be to know that a private object exists; `reader` unless said otherwise. */
  readonly sees?: Standing;
  /** What an administrator is at least: `admin` unless said otherwise, `nobody` where the rank says nothing. */
  readonly rank?: Standing;
  /** What all others get for it: the very answer for an object that does not exist. */
  readonly hidden: 403 | 404;
  /** No token does, unless an administrator's: the password has to be presented. `but itself`: a token may do it to itself. */
  readonly typed?: 'always' | 'but itself';
  /** Also who may is answered the same whether the object is there or not. */
  readonly alike?: true;
  /** A list: everybody whom it lets in is answered, and sees in it what they may know of. */
  readonly lists?: true;
  readonly objects: readonly ObjectName[];
  /** What a bad token gets; 401 unless said otherwise. */
  readonly badToken?: 404;
  /** Takes also tokens that were exchanged for this service, or for any. */
  readonly exchanged?: 'this service' | 'any service';
  /** What a false proof gets. */
  readonly forged?: 401 | 403;
  /** What a good request gets where that is not what the description of the route says. */
  readonly answers?: 404 | 409 | 501 | 'sign-in';
}

const LIBRARY_SCOPES: readonly ScopeName[] = [
  'library:read',
  'library:create',
  'library:write',
  'library:delete',
];

/** Anybody. A token is not needed; a bad one is refused, so that nobody takes an expired login for an empty answer. */
const OPEN: Rule = { by: 'anybody', may: 'nobody', hidden: 404, objects: ['nothing'] };
/** Anybody, whatever is presented. */
const UNREAD: Rule = { by: 'the request itself', may: 'nobody', hidden: 404, objects: ['nothing'] };
/** Every account, with any token. */
const ACCOUNT: Rule = { by: 'token', may: 'stranger', hidden: 404, objects: ['nothing'] };
/** Administrators, with a token for that. */
const ADMIN: Rule = { by: 'token', scope: 'admin', may: 'admin', hidden: 403, objects: ['nothing'] };
/** Whoever has what proves itself; whose token is beside it says nothing. */
const SIGNED: Rule = { by: 'the request itself', may: 'nobody', hidden: 403, objects: ['proven', 'forged'] };

// Keystore: a key is its owner's, who has proved to have it, and read by who brought it. A private one has no user id that is shown.

/** Nobody at all: no token is a worker's here. */
const NO_ONE: Standing = 'worker';
const KEYSTORE_OPEN: Rule = { ...OPEN, exchanged: 'this service' };
/** What is served is everybody's. What is not is nobody's, not even its owner's. */
const SERVED: Rule = {
  ...UNREAD,
  may: NO_ONE,
  mayPublic: 'nobody',
  sees: NO_ONE,
  objects: ['public', 'private'],
};
const UNOFFERED: Rule = { ...UNREAD, answers: 501 };
const UPLOAD: Rule = { ...ACCOUNT, scope: 'keystore:write', exchanged: 'this service' };
/** What is known of a key: of one that is not served those who own or brought it, and administrators. */
const KEY_OF_PEOPLE: Rule = {
  by: 'anybody',
  may: 'reader',
  mayPublic: 'nobody',
  hidden: 404,
  objects: ['own', 'public', 'private', "another person's"],
};
const KEY: Rule = { ...KEY_OF_PEOPLE, exchanged: 'this service' };
/** Whoever owns or brought it, and no job of theirs. */
const KEY_CHANGE: Rule = { ...KEY_OF_PEOPLE, by: 'token', scope: 'keystore:write', mayPublic: 'reader' };
/** What the owner of a key was told of it: to nobody else, administrators neither, is there anything. */
const NOTICE: Rule = {
  ...KEY_CHANGE,
  may: 'owner',
  sees: 'owner',
  rank: 'nobody',
  objects: ['own', "another person's"],
};
/** For members of the organisation; for all others there is none. */
const KEYRING: Rule = { ...KEY_CHANGE, objects: ['own', 'private'] };

// Library: entities belong to an account or to the organisation of their name.

/** What is about all of them. */
const LIBRARY_ADMIN: Rule = { ...ADMIN, exchanged: 'this service' };
/** What is public is everybody's to read; what is private members', and for all others it does not exist. */
const READ: Rule = {
  by: 'anybody',
  reachedBy: LIBRARY_SCOPES,
  exchanged: 'this service',
  may: 'reader',
  mayPublic: 'nobody',
  hidden: 404,
  objects: ['own', 'public', 'private'],
};
/** Writers and owners. Whoever may not know of the object learns nothing. */
const MANAGE: Rule = {
  by: 'token',
  scope: 'library:write',
  scopeThere: 'library:write',
  reachedBy: LIBRARY_SCOPES,
  may: 'writer',
  hidden: 404,
  objects: ['own', 'public', 'private'],
};
/** The same, with tokens that bring new things and change nothing, and jobs of theirs, which bring images. */
const WRITE: Rule = {
  ...MANAGE,
  scope: 'library:create',
  scopeThere: 'library:create',
  exchanged: 'this service',
};

/** Whoever may remove something with all that is in it. */
const REMOVE: Rule = { ...MANAGE, scope: 'library:delete', scopeThere: 'library:delete', may: 'owner' };

/** Who may know of something, with a token for reading there; and no job. */
const STAR: Rule = {
  by: 'token',
  scope: 'library:read',
  scopeThere: 'library:read',
  reachedBy: LIBRARY_SCOPES,
  may: 'reader',
  mayPublic: 'stranger',
  hidden: 404,
  objects: ['own', 'public', 'private'],
};

/** Owners, who say where what happens in their entity is told. Whether there are any webhooks nobody else learns. */
const WEBHOOK: Rule = { ...MANAGE, may: 'owner' };

/** A place that need not exist. Whether it does is not told: who may not write there gets the same for every name. */
const PLACE: Rule = {
  by: 'token',
  scope: 'library:create',
  scopeThere: 'library:create',
  may: 'writer',
  sees: 'writer',
  hidden: 403,
  objects: ['own', 'public', 'private'],
};

// Builder: builds belong to the account that submitted them.

/** The own builds; administrators see all. */
const BUILD: Rule = {
  by: 'token',
  scope: 'build',
  may: 'owner',
  sees: 'owner',
  hidden: 404,
  objects: ['own', "another person's"],
};
/** Where the image goes to. It is pushed with an exchanged token, and those have no rank (ADR 4). */
const PUBLISH: Rule = { ...PLACE, scope: 'build', scopeThere: 'library:write', rank: 'nobody' };
/** A worker, with the token that was exchanged for this build: nobody else, not even the owner of the build. */
const WORK: Rule = { ...BUILD, exchanged: 'this service', may: 'worker', sees: 'worker', hidden: 403 };

// Auth.

/** The own account; administrators all. Others learn nothing. */
const PERSON: Rule = {
  by: 'token or password',
  may: 'owner',
  sees: 'owner',
  hidden: 404,
  objects: ['own', "another person's"],
};
/** Tokens: the own ones, and owners of an organisation those of its robots. */
const TOKENS: Rule = { ...PERSON, hidden: 403, objects: ['own', "another person's", "a robot's"] };
/** Organisations: members see theirs, for all others there is none. */
const ORGANISATION: Rule = {
  by: 'token or password',
  may: 'reader',
  hidden: 404,
  objects: ['own', 'private'],
};
const OWNERS: Rule = { ...ORGANISATION, may: 'owner' };
/** The pages, for whoever has signed in. */
const PAGE: Rule = { by: 'session', may: 'owner', sees: 'owner', hidden: 404, objects: ['own'] };

export const ACCESS = {
  system: {
    // Whatever is presented: clients ask for it with the token of a transfer that is under way.
    'GET /version': UNREAD,
    'GET /{prefix}/version': UNREAD,
    'GET /{prefix}/{more}/version': UNREAD,
    'GET /healthz': OPEN,
    'GET /readyz': OPEN,
    'GET /docs/{path}': OPEN,
    'GET /v1/rbac/users/current': ACCOUNT,
    'GET /v1/audit': ADMIN,
    'GET /v1/audit/heads': ADMIN,
  },
  web: {
    'GET /': OPEN,
    'GET /auth/tokens': OPEN,
    'GET /ca.pem': OPEN,
    'GET /assets/config/config.prod.json': OPEN,
    // Made from the address alone.
    'GET /library/{entity}/{collection}/{container}': {
      ...OPEN,
      sees: 'nobody',
      alike: true,
      objects: ['public', 'private'],
    },
  },
  keystore: {
    'GET /pks/lookup': SERVED,
    'GET /pks/stats': UNREAD,
    'GET /pks/health': UNREAD,
    'OPTIONS /pks/lookup': UNREAD,
    'OPTIONS /pks/stats': UNREAD,
    'OPTIONS /pks/add': UNREAD,
    'POST /pks/add': UPLOAD,
    'POST /pks/hashquery': UNOFFERED,
    'GET /pks/v2/certs/by-vfingerprint/{vfp}': SERVED,
    'GET /pks/v2/certs/by-vfingerprint/{version}/{fingerprint}': SERVED,
    'GET /pks/v2/certs/by-keyid/{id}': SERVED,
    'GET /pks/v2/certs/by-identity/{identity}': SERVED,
    'GET /pks/v2/index/{term}': SERVED,
    'POST /pks/v2/certs': UPLOAD,
    'OPTIONS /pks/v2/{path}': UNREAD,
    'GET /pks/v2/{path}': UNOFFERED,
    'POST /pks/v2/{path}': UNOFFERED,
    'PUT /pks/v2/{path}': UNOFFERED,
    'GET /.well-known/openpgpkey/hu/{hash}': SERVED,
    'GET /.well-known/openpgpkey/{domain}/hu/{hash}': SERVED,
    'GET /.well-known/openpgpkey/policy': UNREAD,
    'GET /.well-known/openpgpkey/{domain}/policy': UNREAD,
    // Numbers and fingerprints, and nothing else (ADR 14).
    'GET /v1/keys/changes': KEYSTORE_OPEN,
    'GET /v1/keys/events': KEYSTORE_OPEN,
    // The own ones, and those of nobody else, also for administrators unless they ask for all.
    'GET /v1/keys/expiring': {
      ...KEY_OF_PEOPLE,
      by: 'token',
      mayPublic: 'reader',
      rank: 'nobody',
      lists: true,
      objects: ['own', 'public', "another person's"],
    },
    'GET /v1/keys/notices': {
      ...KEY_OF_PEOPLE,
      by: 'token',
      may: 'owner',
      sees: 'owner',
      rank: 'nobody',
      lists: true,
      objects: NOTICE.objects,
    },
    'PUT /v1/keys/notices/{fingerprint}': NOTICE,
    'GET /v1/keys/{fingerprint}': KEY,
    // Who only brought it takes back no more than that.
    'DELETE /v1/keys/{fingerprint}': KEY_CHANGE,
    // A text: whether there is such a key is not told.
    'POST /v1/keys/{fingerprint}/challenge': {
      ...ACCOUNT,
      scope: 'keystore:write',
      sees: 'stranger',
      objects: ['nothing', 'private'],
    },
    // The proof says whose it is, and nothing else does. Without one the key of another person is not there.
    'POST /v1/keys/{fingerprint}/claim': {
      ...KEY_CHANGE,
      may: 'owner',
      sees: 'owner',
      rank: 'nobody',
      objects: ['own', "another person's", 'forged'],
      forged: 403,
    },
    // Its owner alone: administrators see it.
    'PUT /v1/keys/{fingerprint}/hidden': { ...KEY_CHANGE, may: 'owner', mayPublic: 'owner', rank: 'reader' },
    'GET /v1/keys/blocked': ADMIN,
    'GET /v1/keys/blocked/{fingerprint}': ADMIN,
    'PUT /v1/keys/blocked/{fingerprint}': ADMIN,
    'DELETE /v1/keys/blocked/{fingerprint}': ADMIN,
    'GET /v1/keys/export': ADMIN,
    'POST /v1/keys/check': ADMIN,
    'POST /v1/keys/import': ADMIN,
    // Without a key that is served there is none.
    'GET /v1/keyrings/{file}': {
      ...KEYSTORE_OPEN,
      may: NO_ONE,
      mayPublic: 'nobody',
      sees: NO_ONE,
      objects: ['public', 'private'],
    },
    // An own key. The rank of an administrator makes nobody a member.
    'PUT /v1/keyrings/{organisation}/keys/{fingerprint}': { ...KEYRING, rank: 'nobody' },
    // What one has put there oneself; what others have, owners of the organisation.
    'DELETE /v1/keyrings/{organisation}/keys/{fingerprint}': { ...KEYRING, may: 'owner' },
  },
  library: {
    // The entities to which the caller has a role, and no others, public or not.
    'GET /v1/entities': { ...READ, by: 'token', mayPublic: 'reader', lists: true },
    'POST /v1/entities': { ...PLACE, exchanged: 'this service' },
    'GET /v1/entities/{path}': READ,
    'POST /v1/collections': WRITE,
    'GET /v1/collections/{path}': READ,
    'POST /v1/containers': WRITE,
    'GET /v1/containers/{path}': READ,
    'POST /v1/images': WRITE,
    'GET /v1/images/{path}': READ,
    'DELETE /v1/images/{path}': { ...REMOVE, may: 'writer', exchanged: 'this service' },
    'GET /v1/imagefile/{path}': { ...READ, scopeThere: 'library:read' },
    // For whoever is about to change them (library contract, case 59); all others find them in the container.
    'GET /v1/tags/{container}': { ...READ, by: 'token', mayPublic: 'reader' },
    'GET /v2/tags/{container}': { ...READ, by: 'token', mayPublic: 'reader' },
    'POST /v1/tags/{container}': WRITE,
    'POST /v2/tags/{container}': WRITE,
    'POST /v1/imagefile/{image}': WRITE,
    'POST /v2/imagefile/{image}': WRITE,
    'PUT /v2/imagefile/{image}/_complete': WRITE,
    'POST /v2/imagefile/{image}/_multipart': WRITE,
    'PUT /v2/imagefile/{image}/_multipart': WRITE,
    'PUT /v2/imagefile/{image}/_multipart_complete': WRITE,
    'PUT /v2/imagefile/{image}/_multipart_abort': WRITE,
    'PUT /v2/upload/{upload}/{part}': { ...SIGNED, forged: 403 },
    'GET /v1/search': { ...READ, lists: true },
    'POST /v1/library/check': LIBRARY_ADMIN,
    'GET /v1/library/damaged': LIBRARY_ADMIN,
    'GET /v1/manage/collections/{entity}': READ,
    'GET /v1/manage/containers/{entity}/{collection}': READ,
    'GET /v1/manage/images/{entity}/{collection}/{container}': READ,
    'GET /v1/manage/tags/{entity}/{collection}/{container}': READ,
    'GET /v1/manage/signatures/{entity}/{collection}/{container}/{ref}': READ,
    'GET /v1/manage/details/{entity}/{collection}/{container}/{ref}': {
      ...READ,
      scopeThere: 'library:read',
    },
    'GET /v1/manage/downloads/{entity}/{collection}/{container}': READ,
    // Texts, which writers change; the rest is for owners (test/http/library/manage-parents.spec.ts).
    'PATCH /v1/manage/entities/{entity}': MANAGE,
    'PATCH /v1/manage/collections/{entity}/{collection}': MANAGE,
    'PATCH /v1/manage/containers/{entity}/{collection}/{container}': MANAGE,
    'POST /v1/manage/retention/{entity}/{collection}/{container}': REMOVE,
    'POST /v1/manage/retention/{entity}': REMOVE,
    'DELETE /v1/manage/entities/{entity}': { ...REMOVE, answers: 409 },
    'DELETE /v1/manage/collections/{entity}/{collection}': { ...REMOVE, answers: 409 },
    'DELETE /v1/manage/containers/{entity}/{collection}/{container}': REMOVE,
    'DELETE /v1/manage/tags/{entity}/{collection}/{container}/{tag}': { ...REMOVE, may: 'writer' },
    // Everybody may like what they may know of.
    'GET /v1/manage/stars': { ...ACCOUNT, scope: 'library:read' },
    'PUT /v1/manage/stars/{entity}/{collection}/{container}': STAR,
    'DELETE /v1/manage/stars/{entity}/{collection}/{container}': STAR,
    'GET /v1/manage/accounts/{account}': { ...PERSON, by: 'token' },
    'PATCH /v1/manage/accounts/{account}': ADMIN,
    // Of one entity; without one everybody gets what they may read (test/http/library/events.spec.ts).
    'GET /v1/events': READ,
    'GET /v1/manage/webhooks/{entity}': WEBHOOK,
    'POST /v1/manage/webhooks/{entity}': WEBHOOK,
    'GET /v1/manage/webhooks/{entity}/{id}': WEBHOOK,
    'PATCH /v1/manage/webhooks/{entity}/{id}': WEBHOOK,
    'DELETE /v1/manage/webhooks/{entity}/{id}': WEBHOOK,
    'GET /v1/manage/webhooks/{entity}/{id}/deliveries': WEBHOOK,
    'POST /v1/manage/webhooks/{entity}/{id}/ping': WEBHOOK,
    'POST /v1/manage/webhooks/{entity}/{id}/deliveries/{delivery}/redeliver': WEBHOOK,
    // There is no registry.
    'GET /v1/oci-redirect': { ...OPEN, exchanged: 'this service', answers: 404 },
  },
  builder: {
    'POST /v1/build': PUBLISH,
    // Names no place: one of the caller's own.
    'POST /v1/build-def-file': { ...PUBLISH, objects: ['own'] },
    'GET /v1/build': { ...BUILD, lists: true },
    'GET /v1/build/{id}': BUILD,
    'DELETE /v1/build/{id}': BUILD,
    'PUT /v1/build/{id}/_cancel': BUILD,
    'GET /v1/build-output/{id}': BUILD,
    // The contract wants 403 for the log of somebody else (builder contract, case 57); the id of a build cannot be guessed.
    'GET /v1/build-ws/{id}': { ...BUILD, sees: 'stranger', hidden: 403 },
    'POST /v1/build-context': { ...ACCOUNT, scope: 'build' },
    'PUT /v1/build-context/{digest}/_upload': { ...SIGNED, forged: 403 },
    // Gives up the own hold; there being none, or those of others, changes nothing and is not told.
    'DELETE /v1/build-context/{digest}': { ...BUILD, may: 'stranger', sees: 'stranger', alike: true },
    'POST /v1/convert-def-file': { ...ACCOUNT, scope: 'build' },
    'POST /v1/build/{id}/_ticket': { ...SIGNED, forged: 401 },
    'PUT /v1/build/{id}/_log': WORK,
    'GET /v1/build/{id}/_context': WORK,
    'PUT /v1/build/{id}/_finish': WORK,
  },
  auth: {
    'POST /v1/auth/tokens': { ...TOKENS, typed: 'always' },
    'GET /v1/auth/tokens': TOKENS,
    // A token may always end itself.
    'DELETE /v1/auth/tokens/{id}': {
      ...TOKENS,
      hidden: 404,
      typed: 'but itself',
      objects: ['own', 'itself', "another person's", "a robot's"],
    },
    'POST /v1/auth/users': ADMIN,
    'GET /v1/auth/users': ADMIN,
    'GET /v1/auth/users/{username}': PERSON,
    'PATCH /v1/auth/users/{username}': { ...PERSON, typed: 'always' },
    'PUT /v1/auth/users/{username}/password': { ...PERSON, typed: 'always' },
    'POST /v1/auth/organisations': { ...ADMIN, by: 'token or password' },
    'GET /v1/auth/organisations': { ...ORGANISATION, lists: true },
    'GET /v1/auth/organisations/{name}': ORGANISATION,
    'PATCH /v1/auth/organisations/{name}': { ...OWNERS, typed: 'always' },
    'GET /v1/auth/organisations/{name}/members': ORGANISATION,
    'PUT /v1/auth/organisations/{name}/members/{username}': { ...OWNERS, typed: 'always' },
    // Everybody may leave.
    'DELETE /v1/auth/organisations/{name}/members/{username}': {
      ...OWNERS,
      typed: 'always',
      objects: ['own', 'private', 'itself'],
    },
    'GET /v1/auth/organisations/{name}/robots': OWNERS,
    'POST /v1/auth/organisations/{name}/robots': { ...OWNERS, typed: 'always' },
    'PATCH /v1/auth/organisations/{name}/robots/{robot}': { ...OWNERS, typed: 'always' },
    // Checked by the routes themselves.
    'GET /v1/token-status': { ...ACCOUNT, badToken: 404 },
    'POST /v1/auth/uses': { ...ACCOUNT, exchanged: 'any service' },
    // The proof of a service, and a token that covers what is asked for.
    'POST /v1/auth/token': { ...ACCOUNT, scope: 'build', objects: ['proven', 'forged'], forged: 401 },
    // In an emergency: it ends every token.
    'POST /v1/auth/signing-keys/retire': { ...ADMIN, by: 'token or password' },
    'GET /.well-known/jwks.json': OPEN,
    'GET /v1/auth/revocations': OPEN,
    'GET /auth/sign-in': UNREAD,
    'POST /auth/sign-in': { ...SIGNED, forged: 401 },
    'POST /auth/sign-out': { ...PAGE, objects: ['proven', 'forged'], forged: 403, answers: 'sign-in' },
    'GET /auth/account': PAGE,
    'POST /auth/account/tokens': { ...PAGE, objects: ['proven', 'forged'], forged: 403 },
    'POST /auth/account/tokens/{id}/revoke': {
      ...PAGE,
      objects: ['own', "another person's", "a robot's", 'forged'],
      forged: 403,
    },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Rule>>>>;

/** Services by the names of their descriptions, and `system`: what every process answers. */
export type Described = keyof typeof ACCESS;
