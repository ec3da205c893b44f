import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3Settings } from '#libs/blobs';
import { readS3Url, type S3Place } from '#libs/core';
import { testCache } from './cache.js';
import { type ServerProcess, startServer } from './child.js';
import { VERSITYGW, versitygw } from './go-tools.js';
import { lacking } from './needs.js';
import { freePort } from './ports.js';
import { temporaryFolder } from './temporary.js';

/** An object store for tests. */
export interface TestS3 {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Its folder, where it is ours: objects are files below it. */
  readonly folder: string | undefined;
  /** A place that nobody else uses. */
  newUrl(): string;
  /** The settings of an instance whose blobs are there. */
  env(url?: string): Record<string, string>;
  /** Ends it as a crash would. Not for one that was given. */
  kill(): Promise<void>;
  /** Starts it again, at the same address with the same data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Why there is no object store for tests here, where there is none. */
export function lackingS3(): string | undefined {
  const given = process.env['SCS_TEST_S3_URL'] ?? '';
  if (given !== '' || existsSync(join(testCache(), `versitygw-${VERSITYGW}`, 'versitygw'))) return undefined;
  const reason = lacking('go', 'flock');
  return reason === undefined ? undefined : `${reason}, and SCS_TEST_S3_URL is not set`;
}

/**
 * The store of SCS_TEST_S3_URL (`http://key:secret@host:port/bucket`) where there is one, a versitygw of its own otherwise.
 */
export async function startS3(): Promise<TestS3> {
  const given = process.env['SCS_TEST_S3_URL'] ?? '';
  return given === '' ? startVersitygw() : givenS3(new URL(given));
}

/** A versitygw over a folder of its own, with credentials of its own, on a free port; with TLS when certificate files are given. */
export async function startVersitygw(tls?: {
  readonly certFile: string;
  readonly keyFile: string;
}): Promise<TestS3> {
  const program = await versitygw();
  const home = await temporaryFolder();
  const folder = join(home.path, 'data');
  await mkdir(join(folder, 'images'), { recursive: true });
  const port = await freePort();
  const accessKeyId = `test${randomBytes(6).toString('hex')}`;
  const secretAccessKey = randomBytes(24).toString('hex');
  const start = (): Promise<ServerProcess> =>
    startServer({
      command: program,
      args: [
        '--port',
        `127.0.0.1:${port}`,
        ...(tls === undefined ? [] : ['--cert', tls.certFile, '--key', tls.keyFile]),
        'posix',
        folder,
      ],
      env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
      door: { host: '127.0.0.1', port },
    });
  let server = await start();
  const known = {
    endpoint: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    bucket: 'images',
    accessKeyId,
    secretAccessKey,
  };
  return {
    ...addressed(known),
    folder,
    kill: () => server.stop('SIGKILL'),
    restart: async () => {
      server = await start();
    },
    stop: async () => {
      await server.stop();
      await home.remove();
    },
  };
}

/** How a driver reaches it, without an instance. */
export function s3Settings(server: TestS3, more: Partial<S3Settings> = {}): S3Settings {
  const { endpoint, accessKeyId, secretAccessKey } = server;
  return {
    endpoint,
    region: 'us-east-1',
    publicEndpoint: undefined,
    accessKeyId,
    secretAccessKey: { reveal: () => secretAccessKey },
    caFile: undefined,
    ...more,
  };
}

/** The place that an address names. */
export function s3Place(url: string): S3Place {
  const place = readS3Url(url);
  if (place === undefined) throw new Error(`Expected the address of a bucket, got ${url}`);
  return place;
}

function givenS3(url: URL): TestS3 {
  const impossible = () => Promise.reject(new Error('This store is not ours'));
  return {
    ...addressed({
      endpoint: url.origin,
      bucket: url.pathname.slice(1),
      accessKeyId: decodeURIComponent(url.username),
      secretAccessKey: decodeURIComponent(url.password),
    }),
    folder: undefined,
    kill: impossible,
    restart: impossible,
    stop: () => Promise.resolve(),
  };
}

function addressed(known: Pick<TestS3, 'endpoint' | 'bucket' | 'accessKeyId' | 'secretAccessKey'>) {
  const newUrl = (): string => `s3://${known.bucket}/t${randomBytes(6).toString('hex')}`;
  return {
    ...known,
    newUrl,
    env: (url = newUrl()) => ({
      SCS_BLOBS_URL: url,
      SCS_S3_ENDPOINT: known.endpoint,
      SCS_S3_ACCESS_KEY_ID: known.accessKeyId,
      SCS_S3_SECRET_ACCESS_KEY: known.secretAccessKey,
    }),
  };
}
