/**
 * Builds the servers and clients that tests get from the Go module proxy, and the root file system that they get from the distribution, so that no test waits
 * for it; called by scripts/test.
 * What is in the cache already is left alone.
 */
import { debianTree } from './debian.js';
import { ferretDbProgram } from './ferretdb.js';
import { apptainerClient, scsBuild, sifIntegrity, siftool, stockClient, versitygw } from './go-tools.js';

const tools: readonly (readonly [string, () => Promise<string>])[] = [
  ['siftool', siftool],
  ['the stock signer of images', sifIntegrity],
  ['scs-build v0.9.19', () => scsBuild('v0.9.19')],
  ['scs-build v0.9.21', () => scsBuild('v0.9.21')],
  ['the stock clients of library and keystore', stockClient],
  ['the library client of Apptainer', apptainerClient],
  ['FerretDB, a stand-in for MongoDB', ferretDbProgram],
  ['versitygw, an object store', versitygw],
  ['a root file system of Debian', debianTree],
];

for (const [name, make] of tools) {
  const started = performance.now();
  try {
    await make();
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? String(error);
    process.stderr.write(`Could not build ${name}:\n${said.slice(-2000)}\n`);
    process.exitCode = 1;
    continue;
  }
  const seconds = (performance.now() - started) / 1000;
  if (seconds > 1) process.stderr.write(`Built ${name} (${seconds.toFixed(0)} s).\n`);
}
