// Writes dist/cli/compiled: the compiled code of what `sing` is made of, so that a start compiles nothing. Part of build-cli.mjs.
//
// Functions are compiled when they are called for the first time, and only compiled ones can be kept: commands that do most of
// what others do run once here, against a server that knows nothing. What they answer does not matter.
import { createServer } from 'node:http';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chunkLoader } from '../libs/cli/src/bundle/chunks.ts';

const [cli, chunk] = process.argv.slice(2).map((path, index) => (index === 0 ? resolve(path) : path));
const compiled = join(cli, 'compiled');

const scripts = new Map();
const load = chunkLoader({
  folder: join(cli, 'chunks'),
  compiled: undefined,
  loaded: (name, script) => scripts.set(name, script),
});

const server = createServer((request, response) => {
  const address = { uri: `http://${request.headers.host}` };
  const services = Object.fromEntries(
    ['library', 'keystore', 'builder', 'token'].map((name) => [`${name}API`, address]),
  );
  if (request.url.startsWith('/assets/')) response.end(JSON.stringify(services));
  else if (request.url.startsWith('/pks/'))
    response.end(`info:1:1\npub:${'AB'.repeat(20)}:1:4096:1:1:\nuid:nobody:1:1:\n`);
  else if (request.url.startsWith('/v1/search')) response.end('{"data":{"image":[]}}');
  else if (request.url === '/version') response.end('{"data":{"version":"1","apiVersion":"1"}}');
  else if (request.url === '/v1/token-status') response.end();
  else response.writeHead(404).end('{"error":{"code":404,"message":"not there"}}');
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const { port } = server.address();
const home = await mkdtemp(join(tmpdir(), 'sing-compiled-'));
try {
  await Promise.all([
    writeFile(
      join(home, 'endpoint.json'),
      JSON.stringify({ url: `http://127.0.0.1:${port}`, caFile: 'none', tokenFile: 'token' }),
    ),
    writeFile(join(home, 'token'), 'a.b.c\n'),
    writeFile(join(home, 'empty.def'), 'bootstrap: scratch\n'),
  ]);
  process.chdir(home);
  for (const name of Object.keys(process.env)) if (name !== 'PATH') delete process.env[name];
  Object.assign(process.env, { HOME: home, SCS_HOME: home });
  const { start } = load(`./${chunk}`);
  for (const words of [
    ['remote', 'status'],
    ['key', 'search', '--long-list', 'nobody'],
    ['key', 'search', '--url', `https://127.0.0.1:${port}`, 'nobody'],
    ['key', 'newpair', '--name=A', '--email=a@example.org', '--password=', '--algorithm=ed25519'],
    ['key', 'list'],
    ['search', 'nothing'],
    ['pull', 'x.sif', 'library://a/b/c:1'],
    ['pull', '--no-https', 'x.sif', `oras://127.0.0.1:${port}/a/b:1`],
    ['pull', 'x.sif', `http://127.0.0.1:${port}/x.sif`],
    ['build', '--remote', 'x.sif', 'empty.def'],
  ]) {
    await start(words);
  }
} finally {
  process.chdir('/');
  await rm(home, { recursive: true });
}
await mkdir(compiled);
for (const [name, script] of scripts) await writeFile(join(compiled, name), script.createCachedData());
// Connections may be open still, and the status of the last command says nothing.
process.exit(0);
