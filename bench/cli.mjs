// How long commands take before they do anything for the person.
//
//   npm run build:cli && npm run build:native && node bench/cli.mjs [--rounds N]
//
// `sing version` and `sing --help` against /bin/true: milliseconds more (medians of interleaved starts). Commands that need the
// network, from their start until the first byte of them arrives at a server on this machine, against Node that starts,
// evaluates `0` and ends, as ratios (less is better).
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { rootCertificates } from 'node:tls';
import { median, report } from './support/report.mjs';
import { atMost } from './support/target.mjs';
import { temporaryFolder } from './support/temporary.mjs';
import { SING } from './support/up.mjs';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '40' } } });
const rounds = Number(values.rounds);
const bundle = new URL('../dist/cli/sing.cjs', import.meta.url).pathname;

const folder = await temporaryFolder();
try {
  native(folder.path);
  await network(folder.path);
} finally {
  await folder.remove();
}

function native(home) {
  const commands = [['/bin/true'], [SING, 'version'], [SING, '--help']];
  const times = commands.map(() => []);
  for (let round = 0; round < rounds + 3; round += 1) {
    for (const [index, [program, ...words]] of commands.entries()) {
      const begin = performance.now();
      const { status } = spawnSync(program, words, { stdio: 'ignore', env: environment(home) });
      const time = performance.now() - begin;
      if (status !== 0) throw new Error(`Expected status 0 of ${program} ${words.join(' ')}, got ${status}`);
      if (round >= 3) times[index].push(time);
    }
  }
  const [nothing, ...ours] = times.map(median);
  for (const [index, time] of ours.entries()) {
    const more = time - nothing;
    report(`sing ${commands[index + 1][1]}`, {
      sing: `${time.toFixed(1)} ms`,
      '/bin/true': `${nothing.toFixed(1)} ms`,
      more: `${more.toFixed(1)} ms`,
      target: atMost(more, 5, ' ms'),
    });
  }
}

async function network(home) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // What scripts/up writes; nobody here speaks TLS, the first byte is all that is waited for.
  const caFile = join(home, 'ca.pem');
  const tokenFile = join(home, 'admin.token');
  writeFileSync(caFile, rootCertificates[0] ?? '');
  writeFileSync(tokenFile, 'a.b.c\n');
  const url = `https://localhost:${server.address().port}`;
  writeFileSync(join(home, 'endpoint.json'), JSON.stringify({ url, caFile, tokenFile, username: 'admin' }));
  const definition = join(home, 'empty.def');
  writeFileSync(definition, 'bootstrap: scratch\n%post\n:\n');
  const verbs = [
    ['remote', 'status'],
    ['key', 'search', 'ann@example.org'],
    ['search', 'hello'],
    ['pull', 'x.sif', 'library://admin/demo/hello:1'],
    ['build', '--remote', 'x.sif', definition],
  ];
  const ways = [
    ...verbs.map((words) => ({
      name: `sing ${words.slice(0, 2).join(' ')}`,
      command: [process.execPath, bundle, ...words],
    })),
    { name: 'sing key search, by the native program', command: [SING, ...verbs[1]] },
  ];
  const [bare, times] = [[], ways.map(() => [])];
  for (let round = 0; round < rounds + 1; round += 1) {
    const begin = performance.now();
    spawnSync(process.execPath, ['-e', '0'], { stdio: 'ignore', env: environment(home) });
    const nothing = performance.now() - begin;
    if (round > 0) bare.push(nothing);
    for (const [index, { command }] of ways.entries()) {
      const time = await untilFirstByte(server, command, home);
      if (round > 0) times[index].push(time);
    }
  }
  server.close();
  const nothing = median(bare);
  for (const [index, { name }] of ways.entries()) {
    const time = median(times[index]);
    const ratio = time / nothing;
    report(`${name}, before its first request`, {
      sing: `${time.toFixed(0)} ms`,
      'node -e 0': `${nothing.toFixed(0)} ms`,
      ratio,
      target: atMost(ratio, 3),
    });
  }
}

async function untilFirstByte(server, [program, ...words], home) {
  const begin = performance.now();
  const child = spawn(program, words, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: environment(home),
    cwd: home,
  });
  let said = '';
  child.stderr.on('data', (chunk) => (said += String(chunk)));
  const stop = new AbortController();
  const ended = once(child, 'close');
  const asked = once(server, 'connection', { signal: stop.signal }).then(async ([socket]) => {
    socket.on('error', () => undefined);
    await once(socket, 'data', { signal: stop.signal });
    socket.destroy();
    return performance.now() - begin;
  });
  const time = await Promise.race([asked, ended.then(() => undefined)]);
  stop.abort();
  asked.catch(() => undefined);
  child.kill('SIGKILL');
  await ended;
  if (time === undefined) throw new Error(`Expected a request of ${words.join(' ')}, got ${said}`);
  return time;
}

/** A person who has nothing but the instance. */
function environment(home) {
  return { PATH: '/usr/bin:/bin', HOME: home, SCS_HOME: home, TERM: 'dumb', LANG: 'C.UTF-8' };
}
