import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Packet, writeArmor } from '#libs/pgp';
import * as openpgp from 'openpgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CaseKey,
  hkpWorld,
  type HkpWorld,
  keyWithLeadingZero,
  newKey,
} from '../http/keystore/hkp-world.js';
import { bytesOf, CREATED, Owner } from '../../libs/pgp/src/testing/maker.js';
import { stockClient } from '../support/go-tools.js';
import { type GpgPerson, gpgPerson } from '../support/gpg-person.js';
import { lacking, skipped } from '../support/needs.js';
import { temporaryFolder } from '../support/temporary.js';

/* Keystore contract §6, E cases: programs that others have written, as they are. What needs singularity itself is not here. */

const NAME = 'keys.example.test';
/** gpg 2.2 has no words for 401, 2.4 has. */
const REFUSED: unknown = expect.stringMatching(/send failed: (No data|Not authenticated)/);
const noGpg = lacking('gpg', 'dirmngr', 'unshare');
const noGo = lacking('go', 'flock');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let caFile: string;
/** Takes updates of stored keys without a token. */
let open: HkpWorld;
/** Takes nothing without a token. */
let strict: HkpWorld;
beforeAll(async () => {
  folder = await temporaryFolder();
  open = await hkpWorld({ SCS_NAMES: NAME, SCS_KEYSTORE_ANONYMOUS: 'updates' });
  strict = await hkpWorld({ SCS_NAMES: NAME });
  caFile = join(folder.path, 'ca.pem');
  await writeFile(caFile, `${open.app.ca}\n${strict.app.ca}`);
});
afterAll(async () => {
  await open.stop();
  await strict.stop();
  await folder.remove();
});

describe.skipIf(noGpg)(`gpg${skipped(noGpg)}`, () => {
  let [ann, bob]: [GpgPerson, GpgPerson] = [] as never;
  let fingerprint: string;
  const address = (world: HkpWorld): string => `hkps://${NAME}:${world.app.config.port}`;
  const trusting = (world: HkpWorld): string[] => [
    `hkp-cacert ${caFile}`,
    `keyserver ${address(world)}`,
    'standard-resolver',
  ];
  const listed = async (person: GpgPerson): Promise<string> =>
    (await person.gpg('--with-colons', '--list-keys')).stdout;

  beforeAll(async () => {
    ann = await gpgPerson(folder.path, NAME, 'ann');
    bob = await gpgPerson(folder.path, NAME, 'bob');
    for (const person of [ann, bob]) await person.configure(trusting(open));
    await ann.gpg('--quick-gen-key', 'Ann Example <ann@example.org>', 'ed25519', 'cert', '1y');
    [, fingerprint = ''] = /^fpr:+([0-9A-F]{40}):/m.exec(await listed(ann)) ?? [];
    await ann.gpg('--quick-add-key', fingerprint, 'ed25519', 'sign', '1y');
    await ann.gpg('--quick-add-key', fingerprint, 'cv25519', 'encr', '1y');
    const armored = (await ann.gpg('--armor', '--export', fingerprint)).stdout;
    for (const world of [open, strict]) await world.added(armored);
  });
  afterAll(async () => {
    await ann.stop();
    await bob.stop();
  });

  it('E2: reaches the server with its authority, and not without', async () => {
    await bob.configure([`keyserver ${address(open)}`, 'standard-resolver']);
    expect((await bob.gpg('--recv-keys', fingerprint)).status).not.toBe(0);
    await bob.configure(trusting(open));
    const received = await bob.gpg('--recv-keys', fingerprint);
    expect([received.status, received.stdout]).toEqual([
      0,
      expect.stringContaining(`IMPORT_OK 1 ${fingerprint}`),
    ]);
  });

  it('E1: receives by 8, 16 and 40 digits, and searches', async () => {
    for (const id of [fingerprint.slice(-8), fingerprint.slice(-16), fingerprint]) {
      await bob.gpg('--yes', '--delete-keys', fingerprint);
      const { status, stderr } = await bob.gpg('--recv-keys', id);
      expect([id, status, stderr]).toEqual([id, 0, expect.stringContaining('imported')]);
    }
    const found = await bob.gpg('--with-colons', '--search-keys', 'ann@example.org');
    expect(found.stdout + found.stderr).toContain(fingerprint);
    const byName = await bob.gpg('--with-colons', '--search-keys', 'Ann Example');
    expect(byName.stdout).toContain('uid:Ann Example <ann@example.org>');
    expect((await bob.gpg('--search-keys', 'nobody@example.org')).stderr).toMatch(
      /not found|No data|no keys/i,
    );
  });

  it('E1: sends an update, which a refresh of others brings', async () => {
    const end = async (person: GpgPerson): Promise<number> =>
      Number(
        (await listed(person))
          .split('\n')
          .find((line) => line.startsWith('pub:'))
          ?.split(':')[6],
      );
    await bob.gpg('--recv-keys', fingerprint);
    const before = await end(bob);
    await ann.gpg('--quick-set-expire', fingerprint, '3y');
    const sent = await ann.gpg('--send-keys', fingerprint);
    expect([sent.status, sent.stderr]).toEqual([0, expect.stringContaining('sending key')]);
    expect((await bob.gpg('--refresh-keys')).status).toBe(0);
    expect((await end(bob)) - before).toBeGreaterThan(600 * 24 * 3600);
  });

  it('E1: sends no new key without a token, unless the operator takes everything from its network', async () => {
    await ann.gpg('--quick-gen-key', 'New One <new@example.org>', 'ed25519', 'sign', '1y');
    const lines = (await listed(ann)).split('\n');
    const at = lines.findLastIndex((line) => line.startsWith('pub:'));
    const [, added = ''] = /^fpr:+([0-9A-F]{40}):/.exec(lines[at + 1] ?? '') ?? [];
    const refused = await ann.gpg('--send-keys', added);
    expect([refused.status, refused.stderr]).toEqual([2, REFUSED]);
    const near = await hkpWorld({ SCS_NAMES: NAME, SCS_KEYSTORE_NETWORKS: '127.0.0.1' });
    try {
      await writeFile(caFile, near.app.ca);
      await ann.configure(trusting(near));
      expect((await ann.gpg('--send-keys', added)).status).toBe(0);
      expect((await near.lookup(`op=get&search=0x${added}`)).status).toBe(200);
    } finally {
      await near.stop();
      await writeFile(caFile, `${open.app.ca}\n${strict.app.ca}`);
      await ann.configure(trusting(open));
    }
  });

  it('E3: is told that it is not authenticated', async () => {
    await ann.configure(trusting(strict));
    const refused = await ann.gpg('--send-keys', fingerprint);
    await ann.configure(trusting(open));
    expect([refused.status, refused.stderr]).toEqual([2, REFUSED]);
  });

  it('E4: locates a key by its address', async () => {
    await bob.gpg('--yes', '--delete-keys', fingerprint);
    const located = await bob.gpg(
      '--auto-key-locate',
      'clear,keyserver',
      '--locate-external-keys',
      'ann@example.org',
    );
    expect([located.status, located.stdout]).toEqual([0, expect.stringContaining(fingerprint)]);
  });

  it('fetches a key by the address of a look-up, where the machine trusts the authority', async () => {
    const machine = join(folder.path, 'machine.pem');
    await writeFile(machine, open.app.ca);
    const carol = await gpgPerson(folder.path, NAME, 'carol', machine);
    try {
      await carol.configure(['standard-resolver']);
      const url = `${address(open).replace('hkps', 'https')}/pks/lookup?op=get&search=0x${fingerprint}`;
      const fetched = await carol.gpg('--fetch-keys', url);
      expect([fetched.status, fetched.stdout]).toEqual([0, expect.stringContaining(fingerprint)]);
    } finally {
      await carol.stop();
    }
  });

  it('E10: learns of a revocation', async () => {
    const imported = await bob.gpg('--recv-keys', fingerprint);
    expect(imported.status).toBe(0);
    const certificate = join(ann.home, 'openpgp-revocs.d', `${fingerprint}.rev`);
    const { stdout } = await promisify(execFile)('sed', ['s/^:---/---/', certificate]);
    const edited = join(folder.path, 'revocation.asc');
    await writeFile(edited, stdout);
    await ann.gpg('--import', edited);
    expect((await ann.gpg('--send-keys', fingerprint)).status).toBe(0);
    expect((await bob.gpg('--refresh-keys')).status).toBe(0);
    expect((await listed(bob)).split('\n').find((line) => line.startsWith('pub:'))).toMatch(/^pub:r:/);
  });
});

describe.skipIf(noGo)(`the Go client of singularity and apptainer${skipped(noGo)}`, () => {
  let program: string;
  let [key, zero]: [CaseKey, CaseKey] = [] as never;
  const keys = async (verb: string, ...words: string[]): Promise<string> => {
    const url = `https://localhost:${open.app.config.port}`;
    const env = { PATH: process.env['PATH'] ?? '', SSL_CERT_FILE: caFile, TOKEN: open.token };
    const { stdout } = await promisify(execFile)(program, ['keys', verb, url, ...words], {
      env,
      maxBuffer: 16 * 1024 * 1024,
    });
    return stdout;
  };
  beforeAll(async () => {
    program = await stockClient();
    key = await newKey({ userIds: [{ name: 'Library Builder', email: 'lib+ci@example.org' }] });
    zero = await keyWithLeadingZero();
    for (const [name, one] of [
      ['key', key],
      ['zero', zero],
    ] as const) {
      const file = join(folder.path, `${name}.asc`);
      await writeFile(file, one.armored);
      await keys('add', file);
    }
  }, 600_000);

  it('E5: pulls what was pushed, by its fingerprint', async () => {
    const armored = await keys('get', `0x${key.fingerprint}`);
    const [found] = await openpgp.readKeys({ armoredKeys: armored });
    expect(found?.getFingerprint()).toBe(key.fingerprint);
  });

  it('E6: searches by ids, fingerprint, names and addresses', async () => {
    for (const search of [
      key.shortId.toUpperCase(),
      `0x${key.shortId.toUpperCase()}`,
      `0x${key.fingerprint.toUpperCase()}`,
      'Library',
      'library builder',
      'lib+ci@example.org',
    ]) {
      const text = await keys('index', search);
      expect([search, text.split('\n')[0]]).toEqual([search, 'info:1:1']);
      expect(text).toContain(`pub:${key.fingerprint.toUpperCase()}:22:256:`);
    }
    const [revoked, expired] = [
      await newKey({ userIds: [{ name: 'Gone' }] }),
      await newKey({ userIds: [{ name: 'Over' }], expires: 30 }),
    ];
    await open.added(await revoked.revoked());
    await open.added(expired.armored);
    expect(await keys('index', 'gone')).toMatch(/^pub:.*:r$/m);
    expect(await keys('index', 'over')).toMatch(/^pub:.*:e$/m);
    await expect(keys('index', 'nobodyatall')).rejects.toThrow(/404/);
  });

  it('E7: of three hundred hits it gets the first 256, and counts them right', async () => {
    for (let n = 0; n < 300; n += 1)
      await open.added((await newKey({ userIds: [{ name: `Crowd ${n}` }] })).armored);
    const lines = (await keys('index', 'crowd')).split('\n');
    expect(lines[0]).toBe('info:1:256');
    expect(lines.filter((line) => line.startsWith('pub:'))).toHaveLength(256);
    expect(
      lines.filter((line) => line.startsWith('pub:')).every((line) => line.split(':').length === 7),
    ).toBe(true);
  });

  it('E9: gets a key by an id that has lost its zeros', async () => {
    const armored = await keys('get', `0x${BigInt(`0x${zero.keyId}`).toString(16)}`);
    const [found] = await openpgp.readKeys({ armoredKeys: armored });
    expect(found?.getFingerprint()).toBe(zero.fingerprint);
  });

  it('E8: gets a certificate by the id of the subkey that has signed', async () => {
    const signing = await newKey({ userIds: [{ name: 'Signer' }], signingSubkey: true });
    await open.added(signing.armored);
    const [subkey = ''] = signing.subkeys;
    const armored = await keys('get', `0x${BigInt(`0x${subkey.slice(-16)}`).toString(16)}`);
    const [found] = await openpgp.readKeys({ armoredKeys: armored });
    expect(found?.getFingerprint()).toBe(signing.fingerprint);
  });

  it('E15: pushes a key of 200 kB, and gets back what its owner has made of it', async () => {
    const [owner, other] = [new Owner(), new Owner()];
    const [id, own] = owner.userId('Popular') as [Packet, Packet];
    const theirs = Array.from({ length: 1700 }, (_, at) =>
      other.sign(0x10, { primary: owner.key.body, userId: id.body, created: CREATED + at }),
    );
    const large = writeArmor(bytesOf([owner.primary, id, ...theirs, own]));
    expect(large.length).toBeGreaterThan(200_000);
    const file = join(folder.path, 'large.asc');
    await writeFile(file, large);
    await keys('add', file);
    const armored = await keys('get', `0x${owner.key.facts.fingerprint}`);
    expect(armored.length).toBeLessThan(1000);
    expect((await openpgp.readKey({ armoredKey: armored })).getUserIDs()).toEqual(['Popular']);
  });

  it('E12: adds nothing with a bad token, and says why', async () => {
    const url = `https://localhost:${open.app.config.port}`;
    const env = { PATH: process.env['PATH'] ?? '', SSL_CERT_FILE: caFile, TOKEN: 'nonsense' };
    const add = promisify(execFile)(program, ['keys', 'add', url, join(folder.path, 'key.asc')], { env });
    await expect(add).rejects.toThrow(/401 Unauthorized: The token is not valid here/);
  });

  it('asks for the version', async () => {
    expect(await keys('version')).toMatch(/^\d+\.\d+\.\d+/);
  });
});
