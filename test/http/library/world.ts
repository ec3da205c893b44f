import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LibraryModule } from '#apps/library/src/library.module';
import { type Clock, ManualClock } from '#libs/core';
import type { ServiceModule } from '#libs/server';
import {
  createSif,
  DataType,
  FileSystem,
  HashType,
  MemoryAccess,
  type ObjectInput,
  PartitionType,
} from '#libs/sif';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { sqliteDatabase, type TestDatabase } from '../../support/databases.js';
import { TestAuthority } from '../../support/tokens.js';

export interface World {
  readonly app: StartedApp;
  readonly authority: TestAuthority;
  /** Owns the entity `tester`. */
  readonly tester: StockClient;
  /** Owns the entity `other`. */
  readonly other: StockClient;
  readonly admin: StockClient;
  readonly anonymous: StockClient;
  client(token: string | undefined): StockClient;
  /** Names of bytes that are not committed. */
  temporaries(): Promise<string[]>;
  /** Names of committed blobs. */
  blobs(): Promise<string[]>;
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly open?: () => Promise<TestDatabase>;
  readonly limits?: Parameters<typeof LibraryModule.with>[0];
  readonly home?: string;
  readonly authority?: TestAuthority;
  readonly clock?: Clock;
  /** More services that run in the same process; `env` says SCS_SERVICES then. */
  readonly modules?: readonly ServiceModule[];
  /** More settings. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A library with its own database and blobs on disk; the tokens are real, their authority is in the test. */
export async function startLibrary(options: WorldOptions = {}): Promise<World> {
  const database = await (options.open ?? sqliteDatabase)();
  const authority = options.authority ?? (await TestAuthority.make());
  const { clock } = options;
  if (clock) {
    // The feed of revocations is of the time that the test says it is.
    const feed = authority.revocations.bind(authority);
    authority.revocations = async (after) => ({ ...(await feed(after)), time: clock.now().getTime() });
  }
  const app = await startApp({
    modules: [
      options.limits ? LibraryModule.with(options.limits) : LibraryModule,
      authority.module(),
      ...(options.modules ?? []),
    ],
    env: {
      SCS_SERVICES: 'library',
      SCS_AUTH_URL: 'https://localhost:1',
      ...database.env,
      ...options.env,
    },
    ...(options.home === undefined ? {} : { home: options.home }),
    ...(clock === undefined ? {} : { clock }),
  });
  const client = (token: string | undefined) => new StockClient(app, token);
  const named = async (username: string, administrator = false) =>
    client(
      await authority.token({
        username,
        administrator,
        claims: { exp: Math.floor(Date.now() / 1000) + 100 * 3600 },
      }),
    );
  const store = join(app.home, 'data', 'library', 'blobs');
  return {
    app,
    authority,
    tester: await named('tester'),
    other: await named('other'),
    admin: await named('root', true),
    anonymous: client(undefined),
    client,
    temporaries: () => readdir(join(store, 'incoming')),
    blobs: async () => {
      const folders = await readdir(join(store, 'sha256'));
      return (await Promise.all(folders.map((folder) => readdir(join(store, 'sha256', folder))))).flat();
    },
    stop: async () => {
      await app.stop();
      await database.stop();
    },
  };
}

/** What a stock client sends: bodies with the whole model in zero values, and no Content-Type (rules 5 and 7). */
const ZERO = {
  id: '',
  deleted: false,
  createdBy: '',
  createdAt: '0001-01-01T00:00:00Z',
  updatedAt: '0001-01-01T00:00:00Z',
  deletedAt: '0001-01-01T00:00:00Z',
};

export interface PushOptions {
  readonly arch?: string;
  readonly tags?: readonly string[];
  readonly description?: string;
}

/** Sends what the stock command lines send (library contract §6), one request for each method. */
export class StockClient {
  readonly app: StartedApp;
  readonly token: string | undefined;

  constructor(app: StartedApp, token: string | undefined) {
    this.app = app;
    this.token = token;
  }

  send(method: string, path: string, body?: unknown): Promise<AppAnswer> {
    return this.app.request(path, {
      method,
      ...(this.token === undefined ? {} : { token: this.token }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  get(path: string): Promise<AppAnswer> {
    return this.send('GET', path);
  }

  entity(name: string, more: object = {}): Promise<AppAnswer> {
    const model = { ...ZERO, name, description: 'No description', collections: null, size: 0, quota: 0 };
    return this.send('POST', '/v1/entities', { ...model, defaultPrivate: false, customData: '', ...more });
  }

  collection(entity: string, name: string, more: object = {}): Promise<AppAnswer> {
    const model = { ...ZERO, name, description: 'No description', entity, containers: null, size: 0 };
    return this.send('POST', '/v1/collections', { ...model, private: false, customData: '', ...more });
  }

  container(collection: string, name: string, more: object = {}): Promise<AppAnswer> {
    const model = {
      ...ZERO,
      name,
      description: 'No description',
      fullDescription: '',
      collection,
      images: null,
    };
    const rest = {
      imageTags: null,
      archTags: null,
      size: 0,
      downloadCount: 0,
      stars: 0,
      private: false,
      readOnly: false,
    };
    return this.send('POST', '/v1/containers', { ...model, ...rest, customData: '', ...more });
  }

  image(container: string, hash: string, more: object = {}): Promise<AppAnswer> {
    const model = { ...ZERO, hash, description: '', container, size: 0, uploaded: false };
    return this.send('POST', '/v1/images', {
      ...model,
      containerStars: 0,
      containerDownloads: 0,
      customData: '',
      ...more,
    });
  }

  /** Makes what is missing of `entity/collection/container` and says the container's id. */
  async place(path: string): Promise<string> {
    const [entity = '', collection = '', container = ''] = path.split('/');
    const made = await this.entity(entity);
    const inEntity = await this.collection(made.body.data.id as string, collection);
    const inCollection = await this.container(inEntity.body.data.id as string, container);
    return inCollection.body.data.id as string;
  }

  /** PUT to a signed address, as clients do it: bytes, length, no token. */
  put(url: string, bytes: Uint8Array): Promise<AppAnswer> {
    const { pathname, search } = new URL(url);
    return this.app.request(pathname + search, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes,
    });
  }

  /** The whole sequence of a push in one piece; returns the image's record. */
  async push(
    path: string,
    bytes: Buffer,
    options: PushOptions = {},
  ): Promise<{ id: string; container: string }> {
    return this.pushTo(await this.place(path), bytes, options);
  }

  /** The same to a container that is there, by its id: without asking for what it lies in. */
  async pushTo(
    container: string,
    bytes: Buffer,
    options: PushOptions = {},
  ): Promise<{ id: string; container: string }> {
    const { description = '' } = options;
    const made = await this.image(container, hashOf(bytes), { description });
    const id = made.body.data.id as string;
    if (made.body.data.uploaded !== true) {
      const started = await this.send('POST', `/v2/imagefile/${id}`, {
        filesize: bytes.length,
        md5sum: '',
        sha256sum: '',
      });
      const sent = await this.put(started.body.data.uploadURL as string, bytes);
      if (sent.status !== 200) throw new Error(`PUT: ${sent.status} ${JSON.stringify(sent.body)}`);
      const ended = await this.send('PUT', `/v2/imagefile/${id}/_complete`, {});
      if (ended.status !== 200) throw new Error(`_complete: ${ended.status} ${JSON.stringify(ended.body)}`);
    }
    for (const tag of options.tags ?? ['latest']) await this.tag(container, tag, id, options.arch);
    return { id, container };
  }

  tag(container: string, tag: string, image: string, arch = 'amd64'): Promise<AppAnswer> {
    return this.send('POST', `/v2/tags/${container}`, { Arch: arch, Tag: tag, ImageID: image });
  }
}

export function hashOf(bytes: Uint8Array): string {
  return `sha256.${createHash('sha256').update(bytes).digest('hex')}`;
}

export interface TestImage {
  readonly arch?: string;
  /** Bytes of the file system. */
  readonly size?: number;
  readonly encrypted?: boolean;
  /** Fingerprint in hexadecimal. */
  readonly signedBy?: string;
  /** What it says of itself beside its file system. */
  readonly says?: { readonly labels?: object; readonly helpfile?: string; readonly deffile?: string };
  readonly definition?: string;
}

/** A small image with random content. */
export async function testImage({
  arch = 'amd64',
  size = 4096,
  encrypted = false,
  signedBy,
  says,
  definition,
}: TestImage = {}): Promise<Buffer> {
  const access = new MemoryAccess();
  const fileSystem = encrypted ? FileSystem.encryptedSquashfs : FileSystem.squashfs;
  const partition = { fileSystem, type: PartitionType.primary, architecture: arch };
  const metadata = JSON.stringify({ data: { attributes: says }, type: 'container' });
  const objects: ObjectInput[] = [
    ...(definition === undefined ? [] : [{ type: DataType.definition, data: Buffer.from(definition) }]),
    ...(says === undefined
      ? []
      : [{ type: DataType.json, name: 'inspect-metadata.json', data: Buffer.from(metadata) }]),
    { type: DataType.partition, data: randomBytes(size), extra: { kind: 'partition', partition } },
  ];
  const signature =
    signedBy === undefined ? undefined : { hashType: HashType.sha256, entity: Buffer.from(signedBy, 'hex') };
  await createSif(access, {
    clock: new ManualClock('2026-01-01T00:00:00Z'),
    objects:
      signature === undefined
        ? objects
        : [
            ...objects,
            {
              type: DataType.signature,
              data: Buffer.from('x'),
              extra: { kind: 'signature', signature } as const,
            },
          ],
  });
  return access.toBuffer();
}
