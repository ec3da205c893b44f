const SERVICES = [/^Builder +OK/m, /^Keyserver +OK/m, /^Library +OK/m, /^Token +OK/m];

/** The instance as a remote. */
export const remote = [
  { stock: 'remote add --no-login site {site}', says: ['"site" added'] },
  { stock: 'remote use site', says: ['"site" now in use'] },
  { stock: 'remote status site', says: [...SERVICES, 'logged out'] },
  { stock: 'remote login --tokenfile hello.def site', status: 255, says: [/FATAL.*token/i] },
  { stock: 'remote login --tokenfile token site', says: ['Access Token Verified'] },
  {
    stock: 'remote status site',
    says: [...SERVICES, 'Logged in as: {me} <{me}@example.org>', 'Valid authentication token set'],
  },
  { stock: 'remote list', says: [/^site +{site} +✓/m] },
  { stock: 'remote get-login-password', says: ['{token}'] },
  // SingularityCE keeps its remotes where `sing` does.
  { sing: 'remote add --no-login site https://{site}', only: 'apptainer' },
  { sing: 'remote login --tokenfile token site', only: 'apptainer' },
  { sing: 'remote status', says: ['Logged in as: {me}'] },
];

/** Who has logged out changes nothing any more, and reads what is public. */
export const endOfRemote = [
  { stock: 'remote logout site', says: ['Logout succeeded'] },
  {
    stock: 'delete --force library://{me}/tools/hello:1',
    status: 255,
    says: ['A token is needed. ', '(401 Unauthorized)'],
  },
  { stock: 'push hello.sif library://{me}/tools/hello:9', status: 255, says: ['no authentication token'] },
  { stock: 'key push {fingerprint}', status: 2, says: ['unauthorized or missing token'] },
  { stock: 'pull --disable-cache last.sif library://{me}/tools/hello:1', same: ['last.sif', 'hello.sif'] },
];
