import type { Flags } from '#libs/cli';

export const buildFlags = {
  remote: {
    type: 'boolean',
    short: 'r',
    env: ['REMOTE'],
    summary: 'build at the remote, without privilege here',
  },
  detached: {
    type: 'boolean',
    short: 'd',
    env: ['DETACHED'],
    summary: 'with --remote: hand in and do not wait',
  },
  arch: {
    type: 'string',
    value: 'ARCH',
    env: ['BUILD_ARCH'],
    summary: 'with --remote: architecture, for example arm64',
  },
  builder: { type: 'string', value: 'URL', env: ['BUILDER'], summary: 'another builder; implies --remote' },
  library: { type: 'string', value: 'URL', env: ['LIBRARY'], summary: 'library that bases come from' },
  force: { type: 'boolean', short: 'F', env: ['FORCE'], summary: 'replace an existing image without asking' },
  notest: { type: 'boolean', short: 'T', env: ['NOTEST'], summary: 'skip the %test section' },
  fakeroot: {
    type: 'boolean',
    short: 'f',
    env: ['FAKEROOT'],
    summary: 'accepted; builds always run like that',
  },
  'build-arg': { type: 'list', value: 'NAME=VALUE', summary: 'value of a variable of the definition' },
  'build-arg-file': { type: 'string', value: 'FILE', summary: 'file with such values, one a line' },
  'disable-cache': { type: 'boolean', env: ['DISABLE_CACHE'], summary: 'fetch bases anew' },
  'no-cleanup': { type: 'boolean', summary: 'keep the work folder of a build that failed' },
  sandbox: {
    type: 'boolean',
    short: 's',
    env: ['SANDBOX'],
    summary: 'make a folder instead of a file',
  },
  // What the field knows and this version does not do is refused by name rather than as an unknown word.
  update: { type: 'boolean', short: 'u', hidden: true, summary: 'work on an existing folder' },
  section: { type: 'list', value: 'NAME', commas: true, hidden: true, summary: 'only these sections' },
  encrypt: { type: 'boolean', short: 'e', hidden: true, summary: 'encrypt the image' },
  passphrase: { type: 'boolean', hidden: true, summary: 'encrypt the image with a passphrase' },
  'pem-path': { type: 'string', value: 'FILE', hidden: true, summary: 'encrypt the image for a key' },
  oci: { type: 'boolean', hidden: true, summary: 'an OCI-SIF image' },
  'mksquashfs-args': { type: 'string', value: 'ARGS', hidden: true, summary: 'more for mksquashfs' },
  nv: { type: 'boolean', hidden: true, summary: 'with GPU' },
  nvccli: { type: 'boolean', hidden: true, summary: 'with GPU' },
  rocm: { type: 'boolean', hidden: true, summary: 'with GPU' },
  bind: { type: 'list', short: 'B', value: 'SPEC', hidden: true, summary: 'bind a path' },
  mount: { type: 'list', value: 'SPEC', hidden: true, summary: 'mount a path' },
  'fix-perms': { type: 'boolean', hidden: true, summary: 'make files writable' },
  'writable-tmpfs': { type: 'boolean', hidden: true, summary: 'writable in %test' },
  // What is so here anyway.
  userns: { type: 'boolean', hidden: true, summary: 'builds always run like that' },
  'no-oci': { type: 'boolean', hidden: true, summary: 'always so' },
  'warn-unused-build-args': { type: 'boolean', hidden: true, summary: 'always so' },
} as const satisfies Flags;

/** Flags of the field that are refused. */
export const NOT_OFFERED = [
  'update',
  'section',
  'encrypt',
  'passphrase',
  'pem-path',
  'oci',
  'mksquashfs-args',
  'nv',
  'nvccli',
  'rocm',
  'bind',
  'mount',
  'fix-perms',
  'writable-tmpfs',
] as const;
