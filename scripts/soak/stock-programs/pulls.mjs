const MISSING = 'image does not exist in the library: {me}/tools';

/** By every name, and what is not there for this person. */
export const pulls = [
  { stock: 'pull a.sif library://{me}/tools/hello:1', same: ['a.sif', 'hello.sif'] },
  { sing: 'library show --json {me}/tools/hello:1', keeps: { hash: /(sha256\.[0-9a-f]{64})/ } },
  { stock: 'pull --disable-cache b.sif library://{me}/tools/hello:{hash}', same: ['b.sif', 'hello.sif'] },
  {
    stock: 'pull --disable-cache --arch {arch} c.sif library://{me}/tools/hello',
    same: ['c.sif', 'hello.sif'],
  },
  {
    stock: 'pull --library https://{site} d.sif library://{me}/tools/hello',
    says: ['Using cached image'],
    same: ['d.sif', 'hello.sif'],
  },
  { stock: 'exec library://{me}/tools/hello:1 cat /made', says: [/^made$/m] },
  {
    stock: 'pull --arch {other} e.sif library://{me}/tools/hello:1',
    status: 255,
    says: [`${MISSING}/hello:1 ({other})`],
    gone: 'e.sif',
  },
  {
    stock: 'pull e.sif library://{me}/tools/missing:1',
    status: 255,
    says: [`${MISSING}/missing:1 ({arch})`],
    gone: 'e.sif',
  },
  // docs/guide/stock-clients.md: without a signature Apptainer leaves nothing unless it is told to keep nothing.
  {
    stock: 'pull f.sif library://{me}/tools/plain:1',
    says: ['Skipping container verification'],
    gone: 'f.sif',
    only: 'apptainer',
  },
  {
    stock: 'pull f.sif library://{me}/tools/plain:1',
    says: ['Skipping container verification'],
    same: ['f.sif', 'plain.sif'],
    only: 'singularity',
  },
  { stock: 'pull --disable-cache g.sif library://{me}/tools/plain:1', same: ['g.sif', 'plain.sif'] },
  { sing: 'library set {me}/tools/plain --private' },
  { stock: 'pull --disable-cache h.sif library://{me}/tools/plain:1', same: ['h.sif', 'plain.sif'] },
  { stock: 'remote logout site' },
  {
    stock: 'pull --disable-cache i.sif library://{me}/tools/plain:1',
    status: 255,
    says: [`${MISSING}/plain:1 ({arch})`],
    gone: 'i.sif',
  },
  { stock: 'remote login --tokenfile token site' },
];
