import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuditEntry } from '#libs/contract';
import { Secrets } from '../support/secrets.js';
import { CHECKOUT, type Person } from '../support/up.js';

/** Somebody with a running instance as remote. */
export interface World {
  readonly person: Person;
  /** The state folders of the instance: the one with auth in front. */
  readonly homes: readonly string[];
  stop(): Promise<void>;
}

const HELLO = 'library://admin/demo/hello:1';

/**
 * The lines of README.md, typed in order by one person. Each is asserted, and each needs the ones before it.
 * @param title who types them, and where the services run
 */
export function tenLines(title: string, start: () => Promise<World>): void {
  describe(`the ten lines, ${title}`, () => {
    let world: World | undefined;
    let me: Person;
    let fingerprint = '';
    beforeAll(async () => {
      world = await start();
      me = world.person;
    });
    afterAll(() => world?.stop());

    it('remote status: every service answers, over TLS, with the token that up made', async () => {
      const { stdout } = await me.singOk('remote', 'status');
      for (const service of ['Builder', 'Keyserver', 'Library', 'Token'])
        expect(stdout).toMatch(new RegExp(`^${service} +OK +\\S+ +https://localhost:\\d+$`, 'm'));
      expect(stdout).toContain('Logged in as: admin');
    });

    it('key newpair: a pair is made, its fingerprint is printed', async () => {
      const words = ['--name', 'Ann', '--email', 'ann@example.org', '--password', ''];
      fingerprint = (await me.singOk('key', 'newpair', ...words)).stdout.trim();
      expect(fingerprint).toMatch(/^[0-9A-F]{40}$/);
    });

    it('key push: the keystore has it, by fingerprint, address and word', async () => {
      await me.singOk('key', 'push', fingerprint);
      for (const text of [fingerprint, 'ann@example.org', 'Ann']) {
        const { keys } = JSON.parse((await me.singOk('key', 'search', '--json', text)).stdout) as {
          keys: { fingerprint: string }[];
        };
        expect(keys.map((key) => key.fingerprint)).toEqual([fingerprint]);
      }
    });

    it('build --remote: the image of the example, made from the context, log included', async () => {
      const definition = join(CHECKOUT, 'examples/hello.def');
      const { stdout } = await me.singOk('build', '--remote', 'hello.sif', definition);
      expect(stdout).toContain('/bin/busybox --install');
      expect(stdout).toMatch(/Build complete: \d+ bytes, sha256\.[0-9a-f]{64}/);
    });

    it('build --remote --sandbox: a folder of the same, and nothing is left on the way', async () => {
      const definition = join(CHECKOUT, 'examples/hello.def');
      await me.ok('mkdir', [me.path('tmp')]);
      const here = me.with({ TMPDIR: me.path('tmp') });
      await here.singOk('build', '--remote', '--sandbox', 'box', definition);
      expect((await me.singOk('run', 'box')).stdout).toContain('Hello from a container');
      expect(readdirSync(me.path('tmp'))).toEqual([]);
    });

    it('sign and verify', async () => {
      await me.singOk('sign', 'hello.sif');
      const { stdout, stderr } = await me.singOk('verify', 'hello.sif');
      expect(stdout).toContain(fingerprint);
      expect(stderr).toContain("Verified signature(s) from image 'hello.sif'");
    });

    it('push', async () => {
      await me.singOk('push', 'hello.sif', HELLO);
      expect((await me.singOk('search', 'hello')).stdout).toContain(HELLO);
    });

    it('pull and verify: the same bytes come back', async () => {
      const before = readFileSync(me.path('hello.sif'));
      rmSync(me.path('hello.sif'));
      await me.singOk('pull', 'hello.sif', HELLO);
      expect(readFileSync(me.path('hello.sif')).equals(before)).toBe(true);
      await me.singOk('verify', 'hello.sif');
    });

    it('exec: a real container', async () => {
      const inside = async (...words: string[]) => (await me.singOk('exec', 'hello.sif', ...words)).stdout;
      expect(await inside('cat', '/etc/os-release')).toBe(readFileSync('/etc/os-release', 'utf8'));
      expect(await inside('id', '-u')).toBe(`${me.id ?? process.getuid?.() ?? ''}\n`);
      expect(await inside('readlink', '/proc/self/ns/mnt')).not.toBe(
        (await me.ok('readlink', ['/proc/self/ns/mnt'])).stdout,
      );
      const write = await me.sing('exec', 'hello.sif', 'touch', '/here');
      expect([write.status, write.stderr]).toEqual([1, expect.stringContaining('Read-only file system')]);
      expect((await me.sing('exec', 'hello.sif', 'sh', '-c', 'exit 42')).status).toBe(42);
    });

    it('run: the runscript, with its environment', async () => {
      expect((await me.singOk('run', 'hello.sif')).stdout).toMatch(
        /^Hello from a container, .*\nbuilt on \d{4}-\d\d-\d\d\n$/,
      );
    });

    it('an image that was changed after it was signed does not verify', async () => {
      const bytes = readFileSync(me.path('hello.sif'));
      // Somewhere in the file system of the image.
      const at = bytes.length - 100_000;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(me.path('changed.sif'), bytes);
      const { status, stderr } = await me.sing('verify', 'changed.sif');
      expect([status, stderr]).toEqual([255, expect.stringContaining('FATAL')]);
    });

    it('scs audit: every service has recorded what these lines changed, and nobody has changed that', async () => {
      const scs = join(CHECKOUT, 'bin/scs');
      const entries = async (): Promise<readonly AuditEntry[]> => {
        const { stdout } = await me.ok(scs, ['audit', 'list', '--limit', '1000', '--json']);
        return (JSON.parse(stdout) as { entries: AuditEntry[] }).entries;
      };
      const wanted = [
        'account.create',
        'token.create',
        'key.add',
        'build.submit',
        'token.exchange',
        'build.end',
        'container.create',
        'image.push',
        'tag.set',
      ];
      // Entries come into their chains within a second.
      const all = await vi.waitFor(async () => {
        const found = await entries();
        const actions = new Set(found.map(({ action, outcome }) => `${action} ${outcome}`));
        const missing = wanted.filter((action) => !actions.has(`${action} done`));
        if (missing.length > 0) throw new Error(`Not recorded: ${missing.join(', ')}`);
        return found;
      }, 10_000);
      const built = all.find(({ action }) => action === 'build.end');
      expect(built?.actor).toMatchObject({ username: 'admin', via: 'builder' });
      const { stdout } = await me.ok(scs, ['audit', 'verify']);
      expect(stdout).toMatch(
        /^auth: \d+ entries, .*: nothing was changed\nkeystore: .* nothing was changed\nlibrary: .* nothing was changed\nbuilder: .* nothing was changed\n$/,
      );
    });

    it('no log, no trail and no data of the instance holds a token or a password of all that', async () => {
      const [home = '', ...others] = world?.homes ?? [];
      const secrets = new Secrets();
      for (const name of ['admin.token', 'admin.password'])
        secrets.add(name, readFileSync(join(home, name), 'utf8').trim());
      expect(secrets.size).toBe(2);
      for (const folder of [home, ...others]) expect(await secrets.leaks(folder)).toEqual([]);
      const exported = await me.ok(join(CHECKOUT, 'bin/scs'), ['audit', 'export']);
      expect(exported.stdout).toContain('token.exchange');
      expect(secrets.leaksIn(exported.stdout)).toEqual([]);
    });
  });
}
