import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { scs } from '#apps/scs/src/program';
import { sing } from '#apps/sing/src/program';
import { run } from '#libs/cli';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority, makeCertificate } from '../support/certificates.js';
import { exists, prepareInstance, type Instance } from '../support/instance.js';

/** Few services start fast; clients want to find all of those that clients talk to. */
const EVERYTHING = { SCS_SERVICES: 'auth,keystore,library,builder,web', SCS_LIBRARY_URL: '' };
const DAY = 24 * 60 * 60 * 1000;
let instance: Instance;
beforeEach(async () => {
  instance = await prepareInstance();
});
afterEach(() => instance.remove());

const token = (): string => readFileSync(instance.endpoint().tokenFile, 'utf8').trim();
const pidOf = (name: string): number => instance.children()[name]?.pid ?? 0;

/** Kills one program and waits until another one stands in for it. */
async function killAndWait(name: string): Promise<void> {
  const before = pidOf(name);
  process.kill(before, 'SIGKILL');
  const again = `${name} runs (process `;
  await instance.until('log', () => instance.log('supervisor').split(again).length > 2);
  expect(pidOf(name)).not.toBe(before);
}

describe('an instance', () => {
  it('starts, says where it is, works with the token it made, and stops', async () => {
    const up = await instance.command(['start']);
    expect(up.stderr).toBe('');
    expect(up.status).toBe(0);
    expect(up.stdout).toContain(`https://localhost:${instance.port}`);
    expect(instance.endpoint()).toEqual({
      url: `https://localhost:${instance.port}`,
      caFile: join(instance.home, 'tls/ca.pem'),
      tokenFile: join(instance.home, 'admin.token'),
      username: 'admin',
      pid: expect.any(Number) as number,
      version: '0.1.0',
    });
    const who = await instance.get('/v1/rbac/users/current', token());
    expect(who).toMatchObject({ status: 200, body: { username: 'admin', sysadmin_flag: true } });
    const words = readFileSync(`/proc/${pidOf('server')}/cmdline`, 'latin1').split('\0');
    // Without it, a thousand connections take 100 MB more.
    expect(words).toContain('--max-semi-space-size=8');
    const { pid } = instance.endpoint();
    const down = await instance.command(['stop']);
    expect(down).toMatchObject({ status: 0, stdout: `Stopped the instance in ${instance.home}.\n` });
    expect(exists(pid)).toBe(false);
    expect(readdirSync(instance.home)).not.toContain('endpoint.json');
  });

  it('keeps everything that it writes from other users, but public keys', async () => {
    await instance.command(['start']);
    const open = [instance.home, ...readdirSync(instance.home, { recursive: true, encoding: 'utf8' })]
      .map((path) => (path === instance.home ? path : join(instance.home, path)))
      .filter((path) => (statSync(path).mode & 0o077) !== 0);
    expect(open.filter((path) => !/\/service-keys\/\w+\.json$/.test(path))).toEqual([]);
  });

  it('that runs already is said to run, and started no second time', async () => {
    await instance.command(['start']);
    const { pid } = instance.endpoint();
    const again = await instance.command(['start']);
    expect(again.status).toBe(0);
    expect(again.stdout).toContain(`Already running in ${instance.home} (process ${pid})`);
    expect(instance.endpoint().pid).toBe(pid);
  });

  it('is started once when two start it at the same time', async () => {
    const [one, two] = await Promise.all([instance.command(['start']), instance.command(['start'])]);
    expect([one.status, two.status]).toEqual([0, 0]);
    const said = [one.stdout, two.stdout].filter((text) => text.includes('Already running'));
    expect(said).toHaveLength(1);
  });

  it('runs beside another one', async () => {
    const other = await prepareInstance();
    try {
      await Promise.all([instance.command(['start']), other.command(['start'])]);
      await instance.command(['stop']);
      expect((await other.get('/readyz')).status).toBe(200);
    } finally {
      await other.remove();
    }
  });

  it('without redis-server says so and does everything else', async () => {
    const bin = join(instance.home, '..', 'bin');
    mkdirSync(bin);
    symlinkSync('/usr/bin/flock', join(bin, 'flock'));
    const up = await instance.command(['start'], { PATH: bin });
    expect(up.status).toBe(0);
    expect(up.stdout).toContain('Remote builds are off: redis-server is missing');
    expect(instance.children()).not.toHaveProperty('redis');
    expect((await instance.get('/v1/rbac/users/current', token())).status).toBe(200);
  });

  it('works with a certificate of the site, for the programs of the checkout too, whoever issued it', async () => {
    const folder = join(instance.home, '..');
    const { cert, key } = await (await CertificateAuthority.make()).issue();
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const env = { SCS_TLS_CERT_FILE: certFile, SCS_TLS_KEY_FILE: keyFile, ...EVERYTHING };
    expect((await instance.command(['start'], env)).stderr).toBe('');
    expect(instance.endpoint().caFile).toBe(certFile);
    const status = await run(scs, ['status', '--json'], { env: { SCS_HOME: instance.home } });
    expect([status.status, status.stderr]).toEqual([0, '']);
    const list = await run(sing, ['remote', 'status'], { env: { SCS_HOME: instance.home, HOME: folder } });
    expect([list.status, list.stdout]).toEqual([0, expect.stringContaining('Logged in as: admin')]);
  });

  it('in the foreground ends in order when it is asked to', async () => {
    const main = 'dist/apps/supervisor/src/main.js';
    const env = {
      PATH: process.env.PATH,
      SCS_HOME: instance.home,
      SCS_PORT: String(instance.port),
      SCS_SERVICES: 'auth,builder',
      SCS_LIBRARY_URL: 'https://localhost:1',
    };
    const child = spawn(process.execPath, [main, 'start', '--foreground'], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let text = '';
    child.stdout.on('data', (chunk) => (text += String(chunk)));
    while (!text.includes('What to type next')) await once(child.stdout, 'data');
    expect(instance.endpoint().pid).toBe(child.pid);
    // As a terminal does on Ctrl-C: to the whole group at once.
    process.kill(-(child.pid ?? 0), 'SIGINT');
    expect((await once(child, 'exit'))[0]).toBe(0);
    expect(instance.log('supervisor')).not.toContain('starting it again');
  });
});

describe('after kill -9', () => {
  beforeEach(() => instance.command(['start']));

  it('of the server it is started again and the token of before is good', async () => {
    const before = token();
    await killAndWait('server');
    expect((await instance.get('/v1/rbac/users/current', before)).status).toBe(200);
  });

  it('of Redis it is started again and the instance is ready', async () => {
    await killAndWait('redis');
    expect((await instance.get('/readyz')).status).toBe(200);
  });

  it('of Redis nothing that it acknowledged is lost, transactions included', async () => {
    const connect = (): Redis => {
      const url = new URL(readFileSync(join(instance.home, 'run/redis.url'), 'utf8').trim());
      const { username, password } = Object.fromEntries(url.searchParams);
      return new Redis({
        path: decodeURI(url.pathname),
        ...(username && { username }),
        ...(password && { password }),
      });
    };
    const before = connect();
    await before.multi().set('scs:test:one', '1').rpush('scs:test:list', 'a', 'b').exec();
    before.disconnect();
    await killAndWait('redis');
    const after = connect();
    try {
      expect(await after.get('scs:test:one')).toBe('1');
      expect(await after.lrange('scs:test:list', 0, -1)).toEqual(['a', 'b']);
    } finally {
      after.disconnect();
    }
  });

  it('of the supervisor nothing stays behind, and the next start works', async () => {
    const { pid } = instance.endpoint();
    const server = pidOf('server');
    const redis = pidOf('redis');
    process.kill(pid, 'SIGKILL');
    await instance.until('log', () => instance.log('server').includes('the supervisor is gone'));
    const down = await instance.command(['stop']);
    expect(down.status).toBe(0);
    expect([server, redis].filter(exists)).toEqual([]);
    expect((await instance.command(['start'])).status).toBe(0);
    expect((await instance.get('/readyz')).status).toBe(200);
  });

  it('again and again the instance stops with a clear message', async () => {
    const { pid } = instance.endpoint();
    let kills = 0;
    await instance.until('run', () => {
      if (!readdirSync(instance.home).includes('endpoint.json')) return true;
      const server = pidOf('server');
      if (server === 0) return false;
      process.kill(server, 'SIGKILL');
      kills += 1;
      return false;
    });
    await instance.until('log', () => instance.log('supervisor').trimEnd().endsWith('"Stopped"}'));
    expect(kills).toBeGreaterThan(5);
    expect(instance.log('supervisor')).toMatch(
      /server died \d times within a minute, .*; the instance stops/,
    );
    expect((await instance.command(['stop'])).stdout).toContain('Nothing runs');
    expect(exists(pid)).toBe(false);
  }, 60_000);
});

describe('a start that cannot work', () => {
  /** Starts with `env`, checks that nothing stays behind, and returns the lines of what was said. */
  const refused = async (env: Record<string, string>): Promise<string[]> => {
    const up = await instance.command(['start'], env);
    expect(up.status).toBe(1);
    expect((await instance.command(['stop'])).stdout).toContain('Nothing runs');
    return up.stderr.trim().split('\n');
  };

  it('because the port is taken says so in one sentence and leaves nothing running', async () => {
    const other = createServer().listen(instance.port, '127.0.0.1');
    await once(other, 'listening');
    expect(await refused({})).toEqual([
      `Port ${instance.port} of 127.0.0.1 is taken by another program`,
      'Choose a free port with SCS_PORT.',
    ]);
    other.close();
  });

  it('because the certificate has expired says so in one sentence', async () => {
    const folder = join(instance.home, '..');
    const { cert, key } = await makeCertificate(new Date(Date.now() - 2 * DAY), new Date(Date.now() - DAY));
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key);
    const env = { SCS_TLS_CERT_FILE: join(folder, 'cert.pem'), SCS_TLS_KEY_FILE: join(folder, 'key.pem') };
    expect(await refused(env)).toEqual([
      expect.stringMatching(/^The certificate in SCS_TLS_CERT_FILE .* expired on \d{4}-\d\d-\d\d$/),
      'Put a valid certificate there.',
    ]);
  });

  it('because the state folder cannot be written says so in one sentence', async () => {
    const file = join(instance.home, '..', 'file');
    writeFileSync(file, '');
    expect(await refused({ SCS_HOME: join(file, 'home') })).toEqual([
      expect.stringMatching(/^SCS_HOME .* cannot be written: a part of the path is not a folder$/),
      'Choose another folder with SCS_HOME.',
    ]);
  });

  it('because the database cannot be reached says so in one sentence', async () => {
    const url = 'mongodb://scs:hunter2@127.0.0.1:1/scs?tls=true';
    const said = await refused({ SCS_AUTH_DATABASE_URL: url });
    expect(said.join(' ')).toContain('127.0.0.1:1');
    expect(said.join(' ')).not.toMatch(/hunter2|\bat .*:\d+:\d+/);
  });

  it('because the queue cannot be reached says so in one sentence', async () => {
    expect(await refused({ SCS_REDIS_URL: 'rediss://scs:hunter2@127.0.0.1:1' })).toEqual([
      'Builds cannot be queued: nothing listens at 127.0.0.1:1',
      'Start Redis, or correct SCS_REDIS_URL',
    ]);
  });

  it('because database and queue would be asked without TLS names both', async () => {
    const said = await refused({
      SCS_AUTH_DATABASE_URL: 'mongodb://scs:hunter2@127.0.0.1/scs',
      SCS_REDIS_URL: 'redis://scs:hunter2@127.0.0.1',
    });
    expect(said.join('\n')).toMatch(/tls=true in SCS_AUTH_DATABASE_URL[^]*rediss:\/\/ in SCS_REDIS_URL/);
    expect(said.join('\n')).not.toContain('hunter2');
  });

  it.each<[string, (home: string) => void, RegExp]>([
    [
      'a key file is damaged',
      (home) => writeFileSync(join(home, 'data/auth/signing-keys/0001.json'), 'x'),
      /^Expected a private ES256 key in .*0001\.json$/,
    ],
    ['a folder is in the way', (home) => mkdirSync(join(home, 'log/server.log')), /server\.log is a folder$/],
  ])('because %s says so in one sentence', async (_, damage, sentence) => {
    for (const folder of ['data/auth/signing-keys', 'log'])
      mkdirSync(join(instance.home, folder), { recursive: true, mode: 0o700 });
    damage(instance.home);
    expect((await refused({}))[0]).toMatch(sentence);
  });

  it('because settings are wrong names all of them', async () => {
    const up = await instance.command(['start'], { SCS_PORT: 'x', SCS_LOG_LEVEL: 'y' });
    expect(up.status).toBe(1);
    expect(up.stderr).toMatch(/SCS_PORT.*\n.*SCS_LOG_LEVEL/);
  });
});

describe('scripts/down', () => {
  it('succeeds when nothing runs', async () => {
    expect(await instance.command(['stop'])).toMatchObject({ status: 0 });
  });

  it('touches no process that only has the number of one of ours', async () => {
    await instance.command(['start']);
    await instance.command(['stop']);
    const stranger = spawn('sleep', ['60']);
    const file = join(instance.home, 'run/processes.json');
    writeFileSync(file, JSON.stringify({ server: { pid: stranger.pid, started: 'another-boot:1' } }));
    chmodSync(file, 0o600);
    expect((await instance.command(['stop'])).stdout).toContain('Nothing runs');
    expect(stranger.exitCode).toBeNull();
    stranger.kill();
  });
});
