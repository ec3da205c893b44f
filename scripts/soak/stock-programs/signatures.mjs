const VERIFIED = [
  /^1 .*Def\.FILE$/m,
  /^2 .*JSON\.Generic$/m,
  /^3 .*FS$/m,
  'Ann (trial) <ann@{me}.example.org>',
  '{fingerprint}',
];
const JSON_SAYS = (local) => [
  /"Signatures": 1/,
  `"KeyLocal": ${local}`,
  '"KeyCheck": true',
  '"DataCheck": true',
];
const BOB = '--name Bob --email bob@{me}.example.org --password "" --algorithm ed25519';

/** Images that `sing` built, signed by the stock program or by `sing`. */
export const signatures = [
  { sing: 'build hello.sif hello.def' },
  { sing: 'build plain.sif hello.def' },
  { sing: 'build bob.sif hello.def' },
  { stock: 'verify hello.sif', status: 255, says: ['signature not found'] },
  { stock: 'sign --keyidx 0 hello.sif', input: 'secret\n', says: ["applied to image 'hello.sif'"] },
  { stock: 'verify --local hello.sif', says: [...VERIFIED, '[LOCAL]'] },
  { stock: 'verify --json hello.sif', says: JSON_SAYS(true), never: ['false'] },
  { sing: 'verify hello.sif', says: VERIFIED },
  // Without the key at hand it comes from the keystore.
  { stock: 'key remove {fingerprint}' },
  { stock: 'verify --local hello.sif', status: 255, says: ['signature made by unknown entity'] },
  { stock: 'verify hello.sif', says: [...VERIFIED, '[REMOTE]'] },
  { stock: 'verify --json hello.sif', says: JSON_SAYS(false) },
  { stock: 'key pull {fingerprint}' },
  { stock: 'verify --url https://{site} hello.sif', says: VERIFIED },
  { sing: `key newpair ${BOB}` },
  { sing: 'key push bob@{me}.example.org' },
  { sing: 'sign --fingerprint bob@{me}.example.org bob.sif' },
  { stock: 'verify bob.sif', says: ['Bob <bob@{me}.example.org>'] },
];
