/** The import rules of docs/architecture.md as a program. An exception changes the rule, in the same commit, with its reason. */

const plain = ['core', 'contract', 'deffile', 'sif', 'pgp', 'signing'];
const user = ['client', 'oci', 'runtime', 'build', 'cli'];
const server = ['config', 'server', 'documents', 'audit', 'blobs', 'queue'];

/** Which libraries a library may import; every other library is forbidden to it. */
const mayUse = {
  core: [],
  contract: ['core'],
  deffile: ['core'],
  sif: ['core'],
  pgp: ['core'],
  signing: ['core', 'sif', 'pgp'],
  client: ['core', 'contract'],
  // A registry is asked with the HTTP client and the transfers of the others: one place knows proxies, certificates and ranges.
  oci: ['core', 'contract', 'client'],
  cli: ['core', 'contract'],
  runtime: ['core'],
  build: ['core', 'contract', 'deffile', 'sif', 'runtime', 'oci', 'client', 'signing'],
  config: ['core'],
  server: ['core', 'contract', 'config', 'audit', 'documents'],
  documents: ['core'],
  audit: ['core', 'contract', 'documents'],
  blobs: ['core'],
  queue: ['core', 'contract'],
};

const service = [...server, 'client', 'contract', 'sif', 'pgp', 'signing', 'deffile', 'core'];
/** Which libraries an app may import. */
const appMayUse = {
  auth: service,
  keystore: service,
  library: service,
  builder: service,
  // It checks who signed the base of a build, with the one verifier.
  worker: ['build', 'client', 'queue', 'config', 'server', 'contract', 'core', 'runtime', 'sif', 'signing'],
  web: ['client', 'cli', 'config', 'server', 'contract', 'core'],
  // `scs audit --offline` reads the databases of an instance that is stopped, `scs library check --offline` its blobs, too;
  // `scs keys import` tells certificates of a dump apart.
  scs: ['client', 'cli', 'config', 'contract', 'core', 'audit', 'documents', 'blobs', 'pgp'],
  sing: ['cli', 'build', 'runtime', 'client', 'oci', 'sif', 'signing', 'pgp', 'deffile', 'contract', 'core'],
  'all-in-one': ['server', 'config', 'core', 'queue'],
  supervisor: ['config', 'core'],
};

const all = [...plain, ...user, ...server];
const but = (allowed, self) => all.filter((name) => name !== self && !allowed.includes(name));
const libPath = (names) => `^libs/(${names.join('|')})/`;

const onlyIn = (name, comment, modules, places) => ({
  name,
  comment,
  severity: 'error',
  from: { pathNot: [...places, '\\.spec\\.ts$', '^test/'] },
  to: { path: modules.map((module) => `node_modules/${module}/`) },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolves', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...Object.entries(mayUse).map(([lib, allowed]) => ({
      name: `libs-${lib}`,
      severity: 'error',
      from: { path: `^libs/${lib}/`, pathNot: '\\.spec\\.ts$' },
      to: { path: libPath(but(allowed, lib)) },
    })),
    ...Object.entries(appMayUse).map(([app, allowed]) => ({
      name: `apps-${app}`,
      severity: 'error',
      from: { path: `^apps/${app}/`, pathNot: '\\.spec\\.ts$' },
      to: { path: libPath(but(allowed)) },
    })),
    { name: 'libs-not-apps', severity: 'error', from: { path: '^libs/' }, to: { path: '^apps/' } },
    {
      name: 'apps-not-each-other',
      comment: 'Only all-in-one composes apps, and it enters them by their module file.',
      severity: 'error',
      from: {
        path: '^apps/([^/]+)/',
        pathNot: ['^apps/all-in-one/', '^apps/scs/src/(?:keys|library)/offline\\.store\\.ts$'],
      },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'check-of-keys-offline',
      comment:
        'scs keys check --offline works on the database of a stopped keystore with the code of the keystore, which knows no framework there: written twice, the two would differ some day.',
      severity: 'error',
      from: { path: '^apps/scs/src/keys/offline\\.store\\.ts$' },
      to: {
        path: '^apps/',
        pathNot: ['^apps/scs/', '^apps/keystore/src/(?:certificates|check)\\.store\\.ts$'],
      },
    },
    {
      name: 'check-of-library-offline',
      comment: 'As for keys: scs library check --offline works with what of the library knows no framework.',
      severity: 'error',
      from: { path: '^apps/scs/src/library/offline\\.store\\.ts$' },
      to: {
        path: '^apps/',
        pathNot: [
          '^apps/scs/',
          '^apps/library/src/check/(?:check|tables)\\.store\\.ts$',
          '^apps/library/src/(?:limits|storage/blobHealth\\.store)\\.ts$',
        ],
      },
    },
    {
      name: 'all-in-one-takes-module-files',
      severity: 'error',
      from: { path: '^apps/all-in-one/' },
      to: { path: '^apps/', pathNot: ['^apps/all-in-one/', '\\.module\\.ts$'] },
    },
    {
      name: 'libs-by-their-index',
      comment:
        'A library is entered through its index.ts; runtime also offers the engine-only entry of the planner.',
      severity: 'error',
      from: { path: '^(libs|apps|test|addon)/([^/]+)/', pathNot: '^test/' },
      to: { path: '^libs/[^/]+/src/.+', pathNot: ['^libs/[^/]+/src/index\\.ts$', '^$1/$2/'] },
    },
    onlyIn(
      'mongodb-in-documents',
      'The database lives behind the document port.',
      ['mongodb', 'better-sqlite3'],
      ['^libs/documents/'],
    ),
    {
      name: 'documents-in-stores',
      comment:
        'Features reach the database only in *.store.ts; the module file wires the port. The server library has one store: proofs that were used, in the database of whoever checks them.',
      severity: 'error',
      from: { path: '^(apps|libs/server)/', pathNot: ['\\.store\\.ts$', '\\.module\\.ts$', '\\.spec\\.ts$'] },
      to: { path: '^libs/documents/' },
    },
    onlyIn(
      'prom-client-in-metrics',
      'Services count with what libs/server gives them, whose labels are closed lists.',
      ['prom-client'],
      ['^libs/server/src/metrics/'],
    ),
    onlyIn(
      's3-in-blobs',
      'The object store lives behind the blob port.',
      ['@aws-sdk'],
      ['^libs/blobs/src/s3/'],
    ),
    onlyIn('bullmq-in-queue', 'One place knows the queue.', ['bullmq', 'ioredis'], ['^libs/queue/']),
    {
      name: 'addon-by-its-index',
      comment:
        'Containers are started by way of the runtime; the server asks one thing of its sockets for which Node has no function.',
      severity: 'error',
      from: {
        path: '^(libs|apps)/',
        pathNot: ['^libs/runtime/', '^libs/server/src/streaming/unsent\\.ts$', '\\.spec\\.ts$'],
      },
      to: { path: '^addon/' },
    },
    {
      name: 'sing-without-nest',
      severity: 'error',
      from: {
        path: '^(apps/sing|libs/(cli|client|runtime|build|oci|sif|signing|pgp|deffile|core|contract))/',
      },
      to: { path: 'node_modules/@nestjs/' },
    },
    {
      name: 'no-dev-dependencies-in-code',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['\\.spec\\.ts$', '/testing/'] },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|addon/build)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      conditionNames: ['source', 'import', 'node', 'default'],
      exportsFields: ['exports'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
