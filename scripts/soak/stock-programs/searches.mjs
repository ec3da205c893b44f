const FOUND = ['library://{me}/tools/hello:1,latest', /Signed by: {fingerprint}/i];

/** What is found, and gone when it is deleted. */
export const searches = [
  { stock: 'search hello', says: FOUND },
  { stock: 'search --arch {arch} --signed hello', says: FOUND },
  { stock: 'search --arch {other} hello', says: ['No container images found for {other}'] },
  { stock: 'search --arch {arch} plain', says: ['library://{me}/tools/plain:1', 'of a trial'] },
  { stock: 'search --arch {arch} --signed plain', says: ['No container images found for {arch}'] },
  { stock: 'delete --force --arch {other} library://{me}/tools/plain:1', status: 255, says: ['not'] },
  { stock: 'delete --force library://{me}/tools/plain:1', says: ['{me}/tools/plain:1 ({arch}) deleted'] },
  {
    stock: 'pull --disable-cache j.sif library://{me}/tools/plain:1',
    status: 255,
    says: ['image does not exist'],
    gone: 'j.sif',
  },
];
