const NEW =
  '--bit-length 2048 --name Ann --email ann@{me}.example.org --comment trial --password secret --push=false';
const MISSING = '0000000000000000000000000000000000000001';
/** What both programs end with when a key is not there. */
const NO_KEY = 2;

/** A key of one's own: into the keystore, and out of it again. */
export const keys = [
  { stock: `key newpair ${NEW}` },
  {
    stock: 'key list --secret',
    keeps: {
      fingerprint: /\b([0-9A-F]{40})\b/,
      keyid: /\b[0-9A-F]{24}([0-9A-F]{16})\b/,
      short: /\b[0-9A-F]{32}([0-9A-F]{8})\b/,
    },
  },
  { stock: 'key search {fingerprint}', status: NO_KEY, says: ['no matching keys found'] },
  { stock: 'key push {fingerprint}', says: ['pushed to server successfully'] },
  {
    stock: 'key search {fingerprint}',
    says: ['Showing 1 results', /^{short} +2048 +Ann \(trial\) <ann@{me}\.example\.org>$/m],
  },
  { stock: 'key search ann@{me}.example.org', says: ['Showing 1 results', '{short}'] },
  { stock: 'key search --url https://{site} Ann', says: ['{short}'] },
  {
    stock: 'key search -l {short}',
    says: [/^{fingerprint} +RSA +2048 +\d{4}-\S+ .*\[enabled\] +Ann \(trial\)/m],
  },
  { stock: 'key remove {fingerprint}' },
  { stock: 'key list', never: ['{fingerprint}'] },
  { stock: 'key pull {fingerprint}', says: ['1 key(s) added'] },
  { stock: 'key list', says: ['{fingerprint}', 'Ann (trial) <ann@{me}.example.org>'] },
  { stock: `key pull ${MISSING}`, status: NO_KEY, says: ['no matching keys found'] },
];
