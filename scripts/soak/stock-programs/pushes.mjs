const NO_ROOM =
  /The quota of the entity {me} is 2\.0 MiB \(2097152 bytes\), 1\.0 MiB \(\d+ bytes\) are used: 1\.0 MiB \(\d+ bytes\) more do not fit\. Delete images of {me} .* \(507 /;

/** What is taken, and in which words the rest is refused. */
export const pushes = [
  {
    stock: 'push plain.sif library://{me}/tools/plain:1',
    status: 255,
    says: ['unable to verify signature', 'push -U'],
  },
  {
    stock: 'push -U -D "of a trial" plain.sif library://{me}/tools/plain:1',
    says: ['https://{site}/library/{me}/tools/plain'],
  },
  { sing: 'library show {me}/tools/plain:1', says: ['of a trial'] },
  { admin: 'push -U {home}/plain.sif library://admin/{me}/theirs:1' },
  {
    stock: 'push hello.sif library://admin/{me}/theirs:2',
    status: 255,
    says: ['admin/{me}/theirs belongs to somebody else. Ask an owner of admin; ', '(403 Forbidden)'],
  },
  { admin: 'library set {me} --quota 2M' },
  { stock: 'push hello.sif library://{me}/tools/hello:1,latest', status: 255, says: [NO_ROOM] },
  { admin: 'library set {me} --quota 0' },
  {
    stock: 'push hello.sif library://{me}/tools/hello:1,latest',
    says: ['using 2.06 MiB out of unlimited quota'],
  },
];
