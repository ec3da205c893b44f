import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { cachedProgram } from './cache.js';

const STOCK_CLIENT = fileURLToPath(new URL('../e2e/go/main.go', import.meta.url));
const INTEGRITY = fileURLToPath(new URL('../e2e/go/integrity/main.go', import.meta.url));
const SIF_LIBRARY = 'github.com/sylabs/sif/v2@v2.24.1';
const LIBRARY_CLIENT = 'github.com/sylabs/scs-library-client/client@v1.4.16';
const KEY_CLIENT = 'github.com/sylabs/scs-key-client/client@v0.7.9';
/** The library client of `singularity`, as it is imported, and that of `apptainer`, which was made from it. */
const CLIENT_PACKAGE = 'github.com/sylabs/scs-library-client/client';
const APPTAINER_PACKAGE = 'github.com/apptainer/container-library-client/client';
const APPTAINER_CLIENT = `${APPTAINER_PACKAGE}@v1.4.14`;
const GO_CRYPTO_SOURCE = fileURLToPath(new URL('../e2e/go-crypto/main.go', import.meta.url));
const GO_CRYPTO = 'github.com/ProtonMail/go-crypto/openpgp@v1.4.1';

/** Why programs cannot be built from the Go module proxy here, or null. */
export function whyNoGo(): string | null {
  const { status, stdout } = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' });
  if (status !== 0) return 'there is no Go on the PATH (scripts/test installs one)';
  const minor = Number(/^go1\.(\d+)/.exec(stdout)?.[1] ?? 0);
  // From 1.21 on, Go fetches the version that a module asks for by itself.
  return minor >= 21 ? null : `Go 1.21 or later is needed, this is ${stdout.trim()}`;
}

/** `siftool` of the SIF library that Apptainer is built with: an independent reader of images. */
export function siftool(): Promise<string> {
  return moduleProgram('siftool', {
    path: 'github.com/apptainer/sif/v2',
    version: 'v2.25.0',
    sum: 'JEwaXz+RvpziW3SIfKlYkQcfW5eYE16+B++iBPIUkKY=',
    modSum: '0MJawAYt/+87JLNL3mcMPblwNR/NY4V/H73V8JIBVPk=',
  });
}

export const VERSITYGW = 'v1.8.0';

const SCS_BUILD = {
  'v0.9.19': ['HnLhzVbV+tn8XHj4giCcMoLF39wcZaJrw44yR9SiYKk=', 'woisJVTWN60QoeXgv7UeRxSoOnnKls4ABQRtg/C02dk='],
  'v0.9.21': ['fzVrPBWUT181IiczXSeIo9DyTrGMzG9R2li48SmiFC8=', 'vSCVNJ2uWjRprw8qE1ZflySheEdMA9QRRq+VWCTT5vM='],
} as const;

/** The builder's own client. From v0.9.20 on it uploads a build context always, v0.9.19 only where there is one. */
export function scsBuild(version: keyof typeof SCS_BUILD): Promise<string> {
  const [sum, modSum] = SCS_BUILD[version];
  return moduleProgram('scs-build', { path: 'github.com/sylabs/scs-build-client', version, sum, modSum });
}

/** An object store that speaks S3, over a folder: what the S3 driver of the blobs is tested on. */
export function versitygw(): Promise<string> {
  return moduleProgram('versitygw', {
    path: 'github.com/versity/versitygw',
    version: VERSITYGW,
    sum: 'au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc=',
    modSum: 'OxcWzwHy0xd9yUjfBneYnqmOwOgyq4QpzpobLsXMQRU=',
  });
}

/** test/e2e/go/integrity: the Go library that `singularity` signs and verifies images with. */
export function sifIntegrity(): Promise<string> {
  return sourceProgram('sif-integrity', INTEGRITY, [SIF_LIBRARY]);
}

/** test/e2e/go: the Go libraries that `singularity` pushes, pulls and looks up keys with. */
export function stockClient(): Promise<string> {
  return sourceProgram('stock-client', STOCK_CLIENT, [LIBRARY_CLIENT, KEY_CLIENT]);
}

/** The same program over the library client of `apptainer`. */
export function apptainerClient(): Promise<string> {
  const instead = `s#${CLIENT_PACKAGE}#${APPTAINER_PACKAGE}#`;
  return sourceProgram('apptainer-client', STOCK_CLIENT, [APPTAINER_CLIENT, KEY_CLIENT], instead);
}

/** A program of one file of ours over modules of others. @param edit of the file, for sed */
function sourceProgram(name: string, path: string, modules: readonly string[], edit = ''): Promise<string> {
  const version = createHash('sha256')
    .update(`${modules.join(' ')}\n`)
    .update(readFileSync(path))
    .digest('hex');
  return cachedProgram(
    name,
    version.slice(0, 16),
    `go mod init ${name}
    sed '${edit}' '${path}' > main.go
    go get ${modules.join(' ')}
    go get .
    go build -trimpath -o ${name} .`,
  );
}

/** test/e2e/go-crypto: the OpenPGP library of `singularity` and `apptainer`, which says which keys it refuses. */
export function goCrypto(): Promise<string> {
  const version = createHash('sha256').update(GO_CRYPTO).update(readFileSync(GO_CRYPTO_SOURCE)).digest('hex');
  return cachedProgram(
    'go-crypto',
    version.slice(0, 16),
    `go mod init go-crypto-reader
    cp '${GO_CRYPTO_SOURCE}' main.go
    go get ${GO_CRYPTO}
    go build -trimpath -o go-crypto .`,
  );
}

/** A module of the Go module proxy. */
export interface GoModule {
  readonly path: string;
  readonly version: string;
  /** Hashes as in go.sum, without `h1:`: of the module, and of its go.mod. */
  readonly sum: string;
  readonly modSum: string;
}

/** A program in `cmd/<name>` of a module. */
function moduleProgram(name: string, module: GoModule): Promise<string> {
  return cachedProgram(
    name,
    module.version,
    `${copyModule(module)}
    go build -trimpath -buildvcs=false -o ../${name} ./cmd/${name}
    cd ..`,
  );
}

/**
 * Lines for bash that copy a module to the folder `source` and go there; another one than the hashes say is refused. What is built from a copy is built
 * with what the module's own go.sum vouches for: the checksum database does not know every old version, and a module proxy of a site may have none.
 */
export function copyModule({ path, version, sum, modSum }: GoModule): string {
  return `go mod init x
    printf '%s %s h1:%s\\n' ${path} ${version} ${sum} ${path} ${version}/go.mod ${modSum} > go.sum
    folder=$(go mod download -json ${path}@${version} | sed -n 's/^.*"Dir": "\\(.*\\)".*$/\\1/p')
    test -n "$folder"
    cp -r "$folder" source
    chmod -R u+w source
    cd source`;
}
