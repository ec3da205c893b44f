import { MemoryAccess } from '#libs/sif';
import { describe, expect, it } from 'vitest';
import { sifFixture } from '../../../test/support/sif-fixtures.js';
import { FIXTURE_CLOCK, sifPem, sifRing } from '../../../test/support/sif-keys.js';
import { readPublicKey } from './dsse/key.js';
import { resultJson, signatureText, verificationError } from './report.js';
import { verifyImage } from './verify.js';

const A = '1F4F38EC5FDB2A627E9237FEA4E241FB667D1318';
const NAME = 'SIF Test Key A (throwaway test key) <test-key-a@example.invalid>';
const verify = async (name: string) =>
  verifyImage(new MemoryAccess(sifFixture(name)), { clock: FIXTURE_CLOCK, pgp: [sifRing()] });

describe('the report of a verification', () => {
  it('prints signer and objects like the stock program', async () => {
    const { signatures } = await verify('images/signed.sif');
    expect(signatures.map(signatureText).join('')).toBe(
      [
        `[LOCAL]            Signing entity: ${NAME}`,
        `[LOCAL]            Fingerprint: ${A}`,
        'Objects verified:',
        'ID  |GROUP   |LINK    |TYPE',
        '------------------------------------------------',
        '1   |1       |NONE    |Def.FILE',
        '2   |1       |NONE    |JSON.Generic',
        '3   |1       |NONE    |FS',
        '',
      ].join('\n'),
    );
  });

  it('ends with the failure', async () => {
    const result = await verify('tampered/data-fs.sif');
    const message = 'data object integrity compromised: 3';
    expect(result.signatures.map(signatureText).join('')).toMatch(
      new RegExp(`\\n\\nError encountered during signature verification: ${message}\\n$`),
    );
    expect(verificationError(result)).toMatchObject({
      message: `Failed to verify container: integrity: ${message}`,
      exitCode: 255,
      remedy: expect.stringContaining('changed after it was signed'),
    });
  });

  it('is JSON with an entry for every object, and one for data that was changed', async () => {
    const signer = (Partition: string, DataCheck: boolean) => ({
      Signer: {
        Partition,
        Name: NAME,
        Fingerprint: A.toLowerCase(),
        KeyLocal: true,
        KeyCheck: true,
        DataCheck,
      },
    });
    const json = resultJson(await verify('tampered/data-fs.sif'));
    const [one, two, three] = ['covered', 'covered', 'changed'].map((State, index) => ({
      ID: index + 1,
      Group: 1,
      Type: ['Def.FILE', 'JSON.Generic', 'FS (Squashfs/*System/amd64)'][index],
      State,
      SignedBy: State === 'covered' ? [A.toLowerCase()] : [],
    }));
    expect(JSON.parse(json)).toEqual({
      Signatures: 1,
      SignerKeys: [signer('Def.FILE', true), signer('JSON.Generic', true), signer('FS', false)],
      Objects: [one, two, three],
      Warnings: [],
    });
    expect(json).toContain('\\u003ctest-key-a@example.invalid\\u003e');
    expect(json.split('\n')[1]).toBe('  "Signatures": 1,');
  });

  it('has no entry for a descriptor that was changed', async () => {
    const json: unknown = JSON.parse(resultJson(await verify('tampered/descriptor-link.sif')));
    expect(json).toMatchObject({ SignerKeys: [{}, {}] });
    expect(JSON.parse(resultJson(await verify('images/unsigned.sif')))).toMatchObject({
      Signatures: 0,
      SignerKeys: null,
    });
  });

  it('names no signer of a DSSE envelope', async () => {
    const dsse = [readPublicKey(sifPem('keys/test-ed25519.pub.pem'))];
    const access = new MemoryAccess(sifFixture('images/signed-dsse-ed25519.sif'));
    const result = await verifyImage(access, { clock: FIXTURE_CLOCK, dsse });
    expect(JSON.parse(resultJson(result))).toMatchObject({
      SignerKeys: [
        { Signer: { Name: 'unknown', Fingerprint: '', KeyLocal: false, KeyCheck: false } },
        {},
        {},
      ],
    });
    expect(result.signatures.map(signatureText).join('')).toMatch(/^Objects verified:/);
  });

  it('prints no control characters of a user id', () => {
    const text = signatureText({
      kind: 'pgp',
      signatureId: 4,
      group: 1,
      verified: [],
      signer: {
        fingerprint: A,
        keyId: A.slice(-16),
        userId: 'Eve\u001b[2J\u202egnp',
        origin: 'local',
        signedAt: new Date(0),
      },
    });
    expect(text).toContain('Eve\\x1b[2J\\u202egnp');
  });
});
