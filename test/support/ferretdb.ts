import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedProgram, testCache } from './cache.js';
import { startServer } from './child.js';
import { lacking } from './needs.js';
import { temporaryFolder } from './temporary.js';

const VERSION = 'v1.24.2';

/**
 * FerretDB from the Go module proxy: it speaks MongoDB's protocol, authentication and TLS, and stands in for a MongoDB
 * where none is given by SCS_TEST_MONGO_URL. It knows no transactions, and its reads are no measure of speed.
 */
export function ferretDbProgram(): Promise<string> {
  // The module is built from a writable copy: it reads its version from a file that releases generate.
  return cachedProgram(
    'ferretdb',
    VERSION,
    `go mod init x
    go get -tool github.com/FerretDB/FerretDB/cmd/ferretdb@${VERSION}
    cp -r "$(GOFLAGS=-mod=mod go list -m -f '{{.Dir}}' github.com/FerretDB/FerretDB)" source
    chmod -R u+w source
    mkdir -p source/build/version
    echo ${VERSION} > source/build/version/version.txt
    go mod edit -replace github.com/FerretDB/FerretDB=./source
    go build -trimpath -tags ferretdb_no_postgresql -o ferretdb github.com/FerretDB/FerretDB/cmd/ferretdb`,
  );
}

export interface MongoServer {
  /**
   * The address for SCS_DATABASE_URL, with user and password, without a database; `database` names one. On FerretDB it
   * carries the switch that makes commits sequential, which nothing but a stand-in accepts.
   */
  url(options?: {
    readonly database?: string;
    readonly password?: string;
    /** More for the query, such as `&tls=true`. */
    readonly more?: string;
  }): string;
  readonly kind: 'ferretdb' | 'mongodb';
  readonly socket: string | undefined;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** One that a test may kill, and start again on the same data. */
export interface FerretDb extends MongoServer {
  kill(): Promise<void>;
  startAgain(): Promise<void>;
}

/** Why there is no MongoDB and no stand-in for tests here, where there is none. */
export function lackingMongo(): string | undefined {
  const given = process.env['SCS_TEST_MONGO_URL'] ?? '';
  if (given !== '' || existsSync(join(testCache(), `ferretdb-${VERSION}`, 'ferretdb'))) return undefined;
  const reason = lacking('go', 'flock');
  return reason === undefined ? undefined : `${reason}, and SCS_TEST_MONGO_URL is not set`;
}

/** Starts a FerretDB of its own, on a private socket, or with TLS on a port when certificate files are given. */
export async function startFerretDb(tls?: {
  readonly port: number;
  readonly certFile: string;
  readonly keyFile: string;
}): Promise<FerretDb> {
  const program = await ferretDbProgram();
  const folder = await temporaryFolder();
  await mkdir(join(folder.path, 'data'));
  const socket = join(folder.path, 'mongo.sock');
  const password = randomBytes(12).toString('hex');
  const begin = () =>
    startServer({
      command: program,
      args: [
        '--handler=sqlite',
        `--sqlite-url=file:${join(folder.path, 'data')}/`,
        '--state-dir=-',
        '--telemetry=disable',
        '--debug-addr=-',
        '--listen-addr=',
        '--log-level=error',
        '--test-enable-new-auth',
        '--setup-database=admin',
        '--setup-username=scs',
        ...(tls === undefined
          ? [`--listen-unix=${socket}`]
          : [
              `--listen-tls=127.0.0.1:${tls.port}`,
              `--listen-tls-cert-file=${tls.certFile}`,
              `--listen-tls-key-file=${tls.keyFile}`,
            ]),
      ],
      // One client at a time asks it, about little: collecting garbage and waking threads was a third of its work.
      env: { FERRETDB_SETUP_PASSWORD: password, GOMAXPROCS: '1', GOGC: '1000', GOMEMLIMIT: '256MiB' },
      door: tls === undefined ? { socket } : { host: '127.0.0.1', port: tls.port },
    });
  let server = await begin();
  const host = tls === undefined ? encodeURIComponent(socket) : `127.0.0.1:${tls.port}`;
  return {
    kind: 'ferretdb',
    socket: tls === undefined ? socket : undefined,
    url: (options = {}) =>
      `mongodb://scs:${options.password ?? password}@${host}/${options.database ?? ''}?authSource=admin&scsTestOnly=sequential-commits${options.more ?? ''}`,
    kill: () => server.stop('SIGKILL'),
    startAgain: async () => {
      // Nobody listens there any more.
      await rm(socket, { force: true });
      server = await begin();
    },
    stop: async (signal) => {
      await server.stop(signal);
      await folder.remove();
    },
  };
}

/**
 * The MongoDB of SCS_TEST_MONGO_URL where there is one, a FerretDB otherwise. It is reached as any other one: over TLS with a
 * password, or on its unix socket (`mongodb://%2Ftmp%2Fmongodb-27017.sock/`), which mongod closes to other users by itself.
 */
export async function startMongo(): Promise<MongoServer> {
  const given = process.env['SCS_TEST_MONGO_URL'];
  if (given === undefined || given === '') return startFerretDb();
  return {
    kind: 'mongodb',
    socket: undefined,
    url: ({ database = '' } = {}) => given.replace(/^([a-z+]+:\/\/[^/]*)\/?[^?]*/, `$1/${database}`),
    stop: () => Promise.resolve(),
  };
}
