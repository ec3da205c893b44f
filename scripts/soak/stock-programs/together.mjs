/** Without setuid SingularityCE has no ext3 images for users. */
const EXT3 = { only: 'apptainer', root: true };

/** What both use: overlays, instances, key rings, and the cache, which SingularityCE keeps where `sing` does. */
export const together = [
  { stock: 'overlay create --size 64 theirs.img', ...EXT3 },
  { stock: 'exec --overlay theirs.img hello.sif sh -c "echo kept >/kept"', ...EXT3 },
  {
    sing: 'exec --overlay theirs.img hello.sif sh -c "cat /kept; echo more >>/kept"',
    says: [/^kept$/m],
    ...EXT3,
  },
  { stock: 'exec --overlay theirs.img:ro hello.sif cat /kept', says: [/^kept$/m, /^more$/m], ...EXT3 },
  { sing: 'overlay create --size 64 ours.img', ...EXT3 },
  { sing: 'exec --overlay ours.img hello.sif sh -c "echo kept >/kept"', ...EXT3 },
  {
    stock: 'exec --overlay ours.img hello.sif sh -c "cat /kept; echo more >>/kept"',
    says: [/^kept$/m],
    ...EXT3,
  },
  { sing: 'exec --overlay ours.img:ro hello.sif cat /kept', says: [/^kept$/m, /^more$/m], ...EXT3 },
  { sing: 'instance start hello.sif ours' },
  { stock: 'instance start hello.sif theirs' },
  { stock: 'instance list', says: [/^theirs +\d+ /m], never: ['ours'] },
  { sing: 'instance list', says: [/^ours +\d+ /m], never: ['theirs'] },
  { stock: 'instance stop --all', says: ['theirs'] },
  { sing: 'exec instance://ours cat /made', says: [/^made$/m] },
  { sing: 'instance stop ours' },
  { sing: 'key export --armor --key bob@{me}.example.org bob.asc', only: 'apptainer' },
  { stock: 'key import bob.asc', only: 'apptainer' },
  { stock: 'key list', says: ['Ann (trial)', 'Bob'] },
  { stock: 'cache clean --force' },
  { sing: 'pull ours.sif library://{me}/tools/hello:1', same: ['ours.sif', 'hello.sif'] },
  { sing: 'cache list', says: ['There are 1 container file(s)'] },
  { stock: 'cache list', says: ['There are 1 container file(s)'], only: 'singularity' },
  { stock: 'cache clean --force' },
  { sing: 'cache list', says: ['There are 0 container file(s)'], only: 'singularity' },
  { stock: 'sif list hello.sif', says: [/^3 .*FS \(Squashfs\/\*System\/{arch}\)$/m] },
  { sing: 'exec tree cat /made', says: [/^made$/m] },
];
