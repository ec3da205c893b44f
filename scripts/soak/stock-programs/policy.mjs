const ONLY = (what) => `Only images signed by {keyid} may be ${what} {me}: this one is`;

/** An entity of which one of these keys has to have signed what comes in, or what goes out. */
export const policy = [
  { stock: 'push -U plain.sif library://{me}/tools/unsigned:1' },
  { sing: 'library set {me} --signers-push {fingerprint}' },
  {
    stock: 'push -U plain.sif library://{me}/tools/unsigned:2',
    status: 255,
    says: [`${ONLY('pushed to')} not signed. `, '(403 Forbidden)'],
  },
  {
    stock: 'push bob.sif library://{me}/tools/bob:1',
    status: 255,
    says: [`Only images signed by {keyid} may be pushed to {me}: they have not signed all of this one`],
  },
  { stock: 'push hello.sif library://{me}/tools/hello:2' },
  { sing: 'library set {me} --signers-none --signers-pull {fingerprint}' },
  {
    stock: 'pull --disable-cache k.sif library://{me}/tools/unsigned:1',
    status: 255,
    says: [`${ONLY('pulled from')} not signed. `, '(403 Forbidden)'],
    gone: 'k.sif',
  },
  { stock: 'pull --disable-cache l.sif library://{me}/tools/hello:2', same: ['l.sif', 'hello.sif'] },
  { sing: 'library set {me} --signers-none' },
];
