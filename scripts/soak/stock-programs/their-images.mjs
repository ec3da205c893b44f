/** What the stock program has made and signed, read and run by `sing`. */
export const theirImages = [
  { stock: 'build --sandbox tree hello.sif', there: 'tree/made' },
  { stock: 'build theirs.sif tree' },
  { stock: 'sign --keyidx 0 theirs.sif', input: 'secret\n' },
  { sing: 'verify theirs.sif', says: ['Ann (trial) <ann@{me}.example.org>', '{fingerprint}', /^3 .*FS$/m] },
  { sing: 'inspect theirs.sif', says: ['org.example.what: trial'] },
  {
    sing: 'sif list theirs.sif',
    says: [/^1 .*Def\.FILE$/m, /^3 .*FS \(Squashfs\/\*System\/{arch}\)$/m, /^4 .*Signature \(SHA-256\)$/m],
  },
  { sing: 'exec theirs.sif cat /made', says: [/^made$/m] },
  { sing: 'exec theirs.sif sh -c "echo $GREETING"', says: [/^hello$/m] },
  { sing: 'run theirs.sif one two', says: [/^ran with one two$/m] },
  { sing: 'exec --fakeroot theirs.sif id -u', says: [/^0$/m], root: true },
  { sing: 'push theirs.sif library://{me}/tools/theirs:1' },
  { stock: 'pull theirs-again.sif library://{me}/tools/theirs:1', same: ['theirs-again.sif', 'theirs.sif'] },
];
