import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ManualClock } from '#libs/core';
import {
  type Certificate,
  cleanCertificate,
  mergeCertificates,
  readUpload,
  revocationFor,
  summarise,
  writeArmor,
  writeCertificate,
} from '#libs/pgp';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Owner } from '../../libs/pgp/src/testing/maker.js';
import { oddCertificate } from '../../libs/pgp/src/testing/odd.js';
import { Store } from '../../libs/pgp/src/testing/store.js';
import { lacking, skipped } from '../support/needs.js';
import { type Ended, start } from '../support/run.js';
import { temporaryFolder } from '../support/temporary.js';

/* What gpg makes is taken by the certificate cleaner, and what that gives out is taken by gpg. */

const noGpg = lacking('gpg');
const clock = new ManualClock(new Date());

/** A home of gpg with its own keys. */
class Gpg {
  constructor(readonly home: string) {}

  static async make(folder: string, name: string): Promise<Gpg> {
    const home = join(folder, name);
    await mkdir(home, { mode: 0o700 });
    return new Gpg(home);
  }

  /** How gpg ends, whatever it says. @param input answers to its questions */
  run(words: readonly string[], input?: string): Promise<Ended> {
    const env = { PATH: process.env['PATH'] ?? '', HOME: this.home, LC_ALL: 'C.UTF-8' };
    const options = ['--homedir', this.home, '--no-tty', '--pinentry-mode', 'loopback', '--passphrase', ''];
    const asked = input === undefined ? ['--batch', '--yes'] : ['--command-fd', '0'];
    return start('gpg', [...options, ...asked, ...words], {
      cwd: this.home,
      env,
      ...(input === undefined ? {} : { input }),
    }).ended;
  }

  async ok(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(words);
    if (status !== 0) throw new Error(`gpg ${words.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** The fingerprint of a new key, lower case. */
  async key(userId: string, algorithm: string, usage = 'sign,cert'): Promise<string> {
    await this.ok('--quick-gen-key', userId, algorithm, usage, 'never');
    return this.fingerprint(userId);
  }

  async fingerprint(userId: string): Promise<string> {
    const listed = await this.ok('--with-colons', '--list-keys', `=${userId}`);
    return (/^fpr:+([0-9A-F]+):/m.exec(listed)?.[1] ?? '').toLowerCase();
  }

  /** User ids and their validity, as it lists them. */
  async userIds(fingerprint: string): Promise<string[]> {
    const listed = await this.ok('--with-colons', '--list-keys', fingerprint);
    return listed
      .split('\n')
      .filter((line) => line.startsWith('uid:'))
      .map((line) => `${line.split(':')[1]} ${line.split(':')[9]}`);
  }

  export(fingerprint: string): Promise<string> {
    return this.ok('--armor', '--export', fingerprint);
  }

  async import(armored: string): Promise<Ended> {
    const file = join(this.home, 'import.asc');
    await writeFile(file, armored);
    return this.run(['--import', file]);
  }

  stop(): Promise<Ended> {
    const env = { PATH: process.env['PATH'] ?? '' };
    return start('gpgconf', ['--homedir', this.home, '--kill', 'all'], { cwd: this.home, env }).ended;
  }
}

type Find = (fingerprint: string) => Promise<Certificate | undefined>;

async function take(armored: string, known?: Certificate, find?: Find): Promise<Certificate> {
  const { certificates, revocations } = readUpload(Buffer.from(armored));
  const loose = known === undefined ? [] : revocations.map((one) => revocationFor(known, one));
  const [raw] = [...certificates, ...loose];
  if (raw === undefined) throw new Error('nothing was read');
  const sent = await cleanCertificate(raw, clock, { known, ...(find && { findRevoker: find }) });
  return known === undefined ? sent : mergeCertificates(known, sent);
}

const served = (certificate: Certificate): string => writeArmor(writeCertificate(certificate));

describe.skipIf(noGpg)(`keys of gpg${skipped(noGpg)}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let owner: Gpg;
  let reader: Gpg;
  beforeAll(async () => {
    folder = await temporaryFolder();
    owner = await Gpg.make(folder.path, 'owner');
    reader = await Gpg.make(folder.path, 'reader');
  });
  afterAll(async () => {
    await Promise.all([owner.stop(), reader.stop()]);
    await folder.remove();
  });

  it.each([
    ['ed25519', 'cv25519', 22, 'ed25519'],
    ['rsa2048', 'rsa2048', 1, 'rsa2048'],
    ['dsa2048', 'elg2048', 17, 'dsa2048'],
    ['nistp256', 'nistp384', 19, 'nistp256/ecdsa'],
    ['nistp521', 'nistp521', 19, 'nistp384/ecdsa'],
    ['brainpoolP256r1', 'brainpoolP384r1', 19, 'brainpoolP256r1/ecdsa'],
    ['brainpoolP512r1', 'brainpoolP512r1', 19, 'brainpoolP384r1/ecdsa'],
    ['secp256k1', 'secp256k1', 19, 'secp256k1/ecdsa'],
  ])(
    'of %s with a subkey of %s are kept whole, and read by gpg',
    async (algorithm, subkey, number, signing) => {
      const userId = `Ann ${algorithm} <ann@example.org>`;
      const fingerprint = await owner.key(userId, algorithm);
      await owner.ok('--quick-add-key', fingerprint, subkey, 'encr');
      await owner.ok('--quick-add-key', fingerprint, signing, 'sign');
      await owner.ok('--quick-add-uid', fingerprint, 'Ann of old');
      await owner.ok('--quick-revoke-uid', fingerprint, 'Ann of old');
      await owner.ok('--quick-set-expire', fingerprint, '2y');
      const kept = await take(await owner.export(fingerprint));
      const summary = summarise(kept);
      expect(summary).toMatchObject({ fingerprint, algorithm: number, weak: false, revoked: false });
      expect(summary.userIds.map(({ text, revoked }) => [text, revoked])).toEqual([
        [userId, false],
        ['Ann of old', true],
      ]);
      expect(summary.subkeys.map(({ signs }) => signs).toSorted((a, b) => Number(a) - Number(b))).toEqual([
        false,
        true,
      ]);
      const twoYears = Math.floor(Date.now() / 1000) + 2 * 365 * 86_400;
      expect(Math.abs((summary.expires ?? 0) - twoYears)).toBeLessThan(2 * 86_400);
      expect((await reader.import(served(kept))).status).toBe(0);
      expect(await reader.userIds(fingerprint)).toEqual([`- ${userId}`, 'r Ann of old']);
      // What gpg then gives out says nothing that is not known already.
      expect(served(await take(await reader.export(fingerprint), kept))).toBe(served(kept));
    },
  );

  it('that are revoked by the file that gpg makes beforehand', async () => {
    const fingerprint = await owner.key('Lost <lost@example.org>', 'ed25519');
    const kept = await take(await owner.export(fingerprint));
    const files = join(owner.home, 'openpgp-revocs.d');
    const name = (await readdir(files)).find((file) => file.toLowerCase().startsWith(fingerprint));
    const text = await readFile(join(files, name ?? ''), 'utf8');
    expect(() => readUpload(Buffer.from(text))).toThrow('remove the colon');
    const revoked = await take(text.replace(':-----BEGIN', '-----BEGIN'), kept);
    expect(summarise(revoked).revoked).toBe(true);
    expect((await reader.import(served(revoked))).status).toBe(0);
    expect(await reader.userIds(fingerprint)).toEqual(['r Lost <lost@example.org>']);
  });

  it('that are revoked by somebody whom they have named for it', async () => {
    const [revoker, fingerprint] = [
      await owner.key('Revoker <revoker@example.org>', 'ed25519'),
      await owner.key('Named <named@example.org>', 'ed25519'),
    ];
    const named = await owner.run(['--edit-key', fingerprint], `addrevoker\n${revoker}\ny\nsave\n`);
    expect(named.status).toBe(0);
    const file = join(owner.home, 'revocation.asc');
    const made = await owner.run(['--armor', '--output', file, '--desig-revoke', fingerprint], 'y\n1\n\ny\n');
    expect(made.status).toBe(0);
    const find: Find = async (wanted) => (wanted === revoker ? take(await owner.export(revoker)) : undefined);
    const kept = await take(await owner.export(fingerprint), undefined, find);
    expect(summarise(kept).revoked).toBe(false);
    const text = await readFile(file, 'utf8');
    expect(summarise(await take(text, kept)).revoked).toBe(false);
    const revoked = await take(text, kept, find);
    expect(summarise(revoked).revoked).toBe(true);
    await reader.import(await owner.export(revoker));
    expect((await reader.import(served(revoked))).status).toBe(0);
    expect(await reader.userIds(fingerprint)).toEqual(['r Named <named@example.org>']);
  });

  it('that somebody else has certified lose that, and their picture', async () => {
    const fingerprint = await owner.key('Known <known@example.org>', 'ed25519');
    const before = served(await take(await owner.export(fingerprint)));
    const other = await owner.key('Friend <friend@example.org>', 'ed25519');
    await owner.ok('--default-key', other, '--quick-sign-key', fingerprint);
    const exported = await owner.export(fingerprint);
    expect(exported.length).toBeGreaterThan(before.length);
    expect(served(await take(exported))).toBe(before);
  });

  it('are imported beside whatever odd key stands in the same answer', async () => {
    let batch = 0;
    const good = new Owner();
    const goodStore = new Store(good.primary);
    await goodStore.add([good.primary, ...good.userId('Good')]);
    await fc.assert(
      fc.asyncProperty(fc.array(oddCertificate, { minLength: 30, maxLength: 30 }), async (odd) => {
        const answer: Uint8Array[] = [];
        for (const packets of odd) {
          const [primary] = packets;
          if (primary === undefined) continue;
          const store = new Store(primary);
          await store.add(packets);
          const certificate = await store.certificate();
          // The others are given out alone.
          if (certificate !== undefined && !summarise(certificate).alone) answer.push(store.served);
        }
        const home = await Gpg.make(folder.path, `odd${batch}`);
        batch += 1;
        await home.import(writeArmor(Buffer.concat([...answer, goodStore.served])));
        expect(await home.userIds(good.key.facts.fingerprint)).toEqual(['- Good']);
        await home.stop();
      }),
      { numRuns: 10 },
    );
  });
});
