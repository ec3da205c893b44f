import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { Interrupted } from '#libs/cli';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { TinyLibrary } from '../testing/tiny-library.js';
import { bodyOf, World } from '../testing/world.js';

const ID = '0123456789abcdef01234567';

let world: World;
let library: TinyLibrary;
let submitted: Record<string, unknown>[];
let calls: string[];
let context: Buffer;
let finish: object;
let log: (socket: { send(text: string): void; close(code: number): void }) => void;
let stop: () => void;

/** A builder, a library and a front end on one port, with a log stream. */
async function builder(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  const { method = '', url = '' } = request;
  calls.push(`${method} ${url} ${request.headers.authorization ?? ''}`.trim());
  const base = `http://${request.headers.host}`;
  const build = (more: object) =>
    JSON.stringify({ data: { id: ID, libraryRef: 'library://demo/col/hello:1', libraryURL: base, ...more } });
  if (url === '/assets/config/config.prod.json') {
    const names = ['library', 'keystore', 'token', 'builder'];
    return response.end(
      JSON.stringify(Object.fromEntries(names.map((name) => [`${name}API`, { uri: base }]))),
    );
  }
  if (url === '/v1/build-context') return response.writeHead(202, { location: '/put' }).end();
  if (url === '/put') {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    context = Buffer.concat(chunks);
    return response.writeHead(201).end();
  }
  if (url.startsWith('/v1/build-context/')) return response.end();
  if (method === 'POST' && url === '/v1/build') {
    submitted.push(JSON.parse(await bodyOf(request)) as Record<string, unknown>);
    return response.end(build({ isComplete: false }));
  }
  if (url === `/v1/build/${ID}/_cancel`) return response.writeHead(204).end();
  if (url === `/v1/build/${ID}`)
    return response.end(build({ isComplete: true, status: 'Complete', ...finish }));
  return library.handler(request, response);
}

beforeEach(async () => {
  world = await World.create();
  library = new TinyLibrary(await readFile(join(SIF_FIXTURES, 'images/unsigned.sif')));
  submitted = [];
  calls = [];
  context = Buffer.alloc(0);
  finish = { imageSize: 5, imageChecksum: library.digest };
  log = (socket) => {
    socket.send('the log\n');
    socket.close(1000);
  };
  const server = createServer((request, response) => void builder(request, response));
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => log(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stop = () => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  };
  const { port } = server.address() as AddressInfo;
  await world.instance({ url: `http://127.0.0.1:${port}`, token: 'TOKEN' });
  await writeFile(world.path('x.def'), 'bootstrap: scratch\n%files\n  data /data\n');
  await writeFile(world.path('data'), 'content');
});
afterEach(async () => {
  stop();
  await world.close();
});

describe('build --remote', () => {
  it('sends files and definition, prints the log, fetches the image', async () => {
    const { stdout } = await world.ok(['build', '--remote', 'x.sif', 'x.def']);
    expect(stdout).toBe('the log\n');
    expect(context.subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
    expect(submitted).toMatchObject([
      {
        definitionRaw: Buffer.from('bootstrap: scratch\n%files\n  data /data\n').toString('base64'),
        libraryRef: '',
        workingDir: world.folder,
        contextDigest: expect.stringMatching(/^sha256\.[0-9a-f]{64}$/) as string,
      },
    ]);
    expect(await readdir(world.folder)).toContain('x.sif');
    expect(calls).toContain('PUT /put');
    expect(calls.some((call) => call.startsWith('DELETE /v1/build-context/sha256.'))).toBe(true);
  });

  it('into the library fetches nothing', async () => {
    await world.ok(['build', '--remote', 'library://demo/col/hello:1', 'x.def']);
    expect(submitted).toMatchObject([{ libraryRef: 'library://demo/col/hello:1' }]);
    expect(library.requested('/v1/imagefile/')).toBe(0);
  });

  it('with --detached does not wait, and says where the image will be', async () => {
    const { stdout, stderr } = await world.ok(['build', '-r', '-d', 'x.sif', 'x.def']);
    expect(stdout).toBe('library://demo/col/hello:1\n');
    expect(stderr).toContain('sing pull library://demo/col/hello:1');
    expect(calls).not.toContain(`GET /v1/build/${ID} Bearer TOKEN`);
  });

  it('that fails says why, and makes no file', async () => {
    finish = { imageSize: 0, failureReason: '%post ended with exit status 9' };
    const { status, stderr } = await world.run(['build', '--remote', 'x.sif', 'x.def']);
    expect(status).toBe(255);
    expect(stderr).toContain('The build failed: %post ended with exit status 9');
    expect(await readdir(world.folder)).not.toContain('x.sif');
  });

  it('that is interrupted is cancelled there', async () => {
    const controller = new AbortController();
    log = (socket) => {
      socket.send('working\n');
      controller.abort(new Interrupted('SIGINT'));
    };
    const { status, stderr } = await world.run(['build', '--remote', 'x.sif', 'x.def'], {
      signal: controller.signal,
    });
    expect(status).toBe(130);
    expect(stderr).toContain('The build was cancelled.');
    expect(calls).toContain(`PUT /v1/build/${ID}/_cancel Bearer TOKEN`);
  });

  it('refuses an image that is not the one that was built', async () => {
    finish = { imageSize: 5, imageChecksum: `sha256.${'0'.repeat(64)}` };
    const { status, stderr } = await world.run(['build', '--remote', 'x.sif', 'x.def']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('the hash of the built image')]);
    expect(await readdir(world.folder)).not.toContain('x.sif');
  });

  it.each([
    [['--build-arg', 'A=1', 'x.sif', 'x.def'], 'takes no --build-arg'],
    [['--builder', 'https://other.example.org', 'x.sif', 'x.def'], 'There is no token for the builder'],
    [['library://host:1/demo/col/hello', 'x.def'], 'leave the host out'],
    [['library://demo/hello', 'x.def'], 'Expected entity/collection/container'],
    [['x.sif', 'local.def'], 'bootstrap: localimage needs a file of your machine'],
    [['x.sif', 'bad.def'], ''],
    [['--sandbox', '--detached', 'x', 'x.def'], '--sandbox goes without --detached'],
    [['--sandbox', 'library://demo/col/x', 'x.def'], 'makes a folder on this machine'],
    [['--update', 'x', 'x.def'], 'build --update is not offered'],
    [['--pem-path', 'rsa.pem', 'x.sif', 'x.def'], 'build --pem-path is not offered'],
    [['x.sif', 'none.def'], 'There is no'],
    [['x.sif', 'lost.def'], 'file does not exist'],
  ])('%j is refused before anything is submitted', async (words, message) => {
    await writeFile(world.path('local.def'), 'bootstrap: localimage\nfrom: x.sif\n');
    await writeFile(world.path('bad.def'), 'nonsense\n');
    await writeFile(world.path('lost.def'), 'bootstrap: scratch\n%files\n  lost\n');
    const { status, stderr } = await world.run(['build', '--remote', ...words]);
    expect(stderr).toContain(message);
    expect(status).toBe(255);
    expect(submitted).toEqual([]);
  });
});

describe('build', () => {
  it('never replaces an image without asking', async () => {
    await writeFile(world.path('x.sif'), 'precious');
    const { status, stderr } = await world.run(['build', 'x.sif', 'x.def']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('Answer with --force')]);
    expect(await readFile(world.path('x.sif'), 'utf8')).toBe('precious');
  });
});
