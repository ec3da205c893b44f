import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOWNLOAD_PROOF_HEADER } from '#libs/contract';
import { ManualClock, newObjectId } from '#libs/core';
import type { AppAnswer } from '../../support/app.js';
import { hashOf, startLibrary, StockClient, testImage, type World } from './world.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const PART = 100_000;
const PLACE = 'team/life/image';

/** ADR 10: an expired token is taken for what was begun with it, and for nothing else. */
describe('a token that has expired', () => {
  let world: World;
  let clock: ManualClock;
  beforeAll(async () => {
    clock = new ManualClock(new Date());
    world = await startLibrary({ limits: { partBytes: PART }, clock });
    await world.admin.entity('team', { defaultPrivate: true });
  });
  afterAll(() => world.stop());

  interface Holder {
    readonly client: StockClient;
    readonly id: string;
  }
  /** A writer of the team with a token that is good for a minute. */
  async function writer(username: string, claims: object = {}): Promise<Holder> {
    const id = newObjectId();
    const exp = Math.floor(clock.now().getTime() / 1000) + 60;
    const token = await world.authority.token({
      username,
      organisations: { team: 'writer' },
      claims: { jti: id, exp, ...claims },
    });
    return { client: world.client(token), id };
  }
  const expire = () => clock.advance(61_000);
  const reasonOf = ({ status, body }: AppAnswer): unknown => [status, body.error?.reason];
  const EXPIRED = [401, 'token_expired'];
  const revoked = (ask: () => Promise<AppAnswer>) =>
    expect.poll(async () => reasonOf(await ask()), { timeout: 5_000 }).toEqual([401, 'token_revoked']);

  async function announce(client: StockClient, bytes: Buffer, place = PLACE) {
    const container = await client.place(place);
    return { container, id: (await client.image(container, hashOf(bytes))).body.data.id as string };
  }
  /** An upload in one piece whose bytes have arrived. */
  async function sent(client: StockClient, place = PLACE) {
    const bytes = await testImage();
    const image = await announce(client, bytes, place);
    const start = await client.send('POST', `/v2/imagefile/${image.id}`, { filesize: bytes.length });
    expect((await client.put(start.body.data.uploadURL as string, bytes)).status).toBe(200);
    const complete = (as: StockClient) => as.send('PUT', `/v2/imagefile/${image.id}/_complete`, {});
    return { ...image, bytes, complete };
  }
  /** An upload in parts that has begun. */
  async function begun(client: StockClient) {
    const bytes = await testImage({ size: 3 * PART });
    const image = await announce(client, bytes);
    const path = `/v2/imagefile/${image.id}/_multipart`;
    const start = await client.send('POST', path, { filesize: bytes.length });
    const { uploadID, totalParts } = start.body.data as { uploadID: string; totalParts: number };
    const address = (as: StockClient, partNumber: number) =>
      as.send('PUT', path, { uploadID, partNumber, sha256sum: '' });
    const sendPart = async (as: StockClient, number: number) => {
      const { presignedURL } = (await address(as, number)).body.data as { presignedURL: string };
      const answer = await as.put(presignedURL, bytes.subarray((number - 1) * PART, number * PART));
      return { partNumber: number, token: String(answer.headers['etag']) };
    };
    const complete = (as: StockClient, completedParts: object[]) =>
      as.send('PUT', `${path}_complete`, { uploadID, completedParts });
    const abort = (as: StockClient) => as.send('PUT', `${path}_abort`, { uploadID });
    return { ...image, bytes, uploadID, totalParts, address, sendPart, complete, abort };
  }

  it('ends an upload in one piece that it began, and sets the tags of the image', async () => {
    const { client } = await writer('ann');
    const { id, container, complete } = await sent(client);
    expire();
    expect((await client.get('/version')).status).toBe(200);
    expect((await complete(client)).status).toBe(200);
    // A client that lost the answer asks again.
    expect((await complete(client)).status).toBe(200);
    expect((await client.get(`/v2/tags/${container}`)).status).toBe(200);
    expect((await client.get(`/v1/tags/${container}`)).status).toBe(200);
    expect((await client.tag(container, 'v1', id)).status).toBe(200);
    const v1 = await client.send('POST', `/v1/tags/${container}`, { Tag: 'v2', ImageID: id });
    expect(v1.status).toBe(200);
  });

  it('gets the addresses of parts, and ends an upload in parts or gives it up', async () => {
    const { client } = await writer('ann');
    const upload = await begun(client);
    const parts = [await upload.sendPart(client, 1)];
    expire();
    for (let number = 2; number <= upload.totalParts; number += 1)
      parts.push(await upload.sendPart(client, number));
    expect((await upload.complete(client, parts)).status).toBe(200);

    const other = await writer('ann');
    const given = await begun(other.client);
    await given.sendPart(other.client, 1);
    expire();
    expect((await given.abort(other.client)).status).toBe(200);
    expect(await world.temporaries()).toEqual([]);
  });

  it('begins nothing, and ends nothing that another token began, of the same account neither', async () => {
    const ann = await writer('ann');
    const late = await writer('ann');
    const bob = await writer('bob');
    const one = await sent(ann.client);
    const many = await begun(ann.client);
    const elsewhere = await sent(late.client, 'team/life/other');
    const again = await announce(ann.client, await testImage());
    expire();
    for (const { client } of [late, bob]) {
      expect(reasonOf(await one.complete(client))).toEqual(EXPIRED);
      expect(reasonOf(await many.address(client, 1))).toEqual(EXPIRED);
      expect(reasonOf(await many.complete(client, []))).toEqual(EXPIRED);
      expect(reasonOf(await many.abort(client))).toEqual(EXPIRED);
    }
    // Its own upload is of another image.
    expect((await elsewhere.complete(late.client)).status).toBe(200);
    expect(reasonOf(await late.client.tag(one.container, 'x', one.id))).toEqual(EXPIRED);
    for (const ask of [
      () => ann.client.send('POST', `/v2/imagefile/${one.id}`, { filesize: 10 }),
      () => ann.client.send('POST', `/v2/imagefile/${many.id}/_multipart`, { filesize: 10, resume: true }),
      () => ann.client.send('POST', `/v1/imagefile/${again.id}`, {}),
      () => ann.client.image(one.container, `sha256.${'a'.repeat(64)}`),
      () => ann.client.entity('ann'),
      () => ann.client.get('/v1/entities'),
      () => ann.client.get(`/v1/containers/${PLACE}`),
      () => ann.client.get('/v1/search?value=image'),
      () => ann.client.send('DELETE', `/v1/images/${PLACE}:latest?arch=amd64`),
      () => ann.client.tag(one.container, 'x', one.id),
      () => ann.client.get(`/v2/tags/${one.container}`),
    ])
      expect(reasonOf(await ask())).toEqual(EXPIRED);
    // A token that is good goes on with what another one of the account began.
    const good = await writer('ann');
    expect((await one.complete(good.client)).status).toBe(200);
  });

  it('names one image among others of the same upload: the one that it began', async () => {
    const ann = await writer('ann');
    const bob = await writer('bob');
    const mine = await begun(ann.client);
    // Two uploads of the same file: each is of the token that began it.
    const path = `/v2/imagefile/${mine.id}/_multipart`;
    const { uploadID } = (await bob.client.send('POST', path, { filesize: mine.bytes.length })).body.data;
    expire();
    const address = { uploadID, partNumber: 1, sha256sum: '' };
    expect(reasonOf(await ann.client.send('PUT', path, address))).toEqual(EXPIRED);
    expect(reasonOf(await ann.client.send('PUT', `${path}_abort`, { uploadID }))).toEqual(EXPIRED);
    const complete = { uploadID, completedParts: [] };
    expect(reasonOf(await ann.client.send('PUT', `${path}_complete`, complete))).toEqual(EXPIRED);
  });

  it('sets tags for ten minutes, of the image that it uploaded, and not of others in the container', async () => {
    const { client } = await writer('ann');
    const earlier = await sent(client);
    expect((await earlier.complete(client)).status).toBe(200);
    clock.advance(11 * MINUTE);
    const { client: second } = await writer('ann');
    const { id, container, complete } = await sent(second);
    expire();
    expect(reasonOf(await second.tag(container, 'v1', id))).toEqual(EXPIRED);
    expect((await complete(second)).status).toBe(200);
    expect(reasonOf(await second.tag(container, 'v1', earlier.id))).toEqual(EXPIRED);
    clock.advance(9 * MINUTE);
    expect((await second.tag(container, 'v1', id)).status).toBe(200);
    clock.advance(2 * MINUTE);
    expect(reasonOf(await second.tag(container, 'v2', id))).toEqual(EXPIRED);
    expect(reasonOf(await complete(second))).toEqual(EXPIRED);
  });

  it('ends nothing any more a day after its end, nor do addresses that it got', async () => {
    const { client } = await writer('ann');
    const upload = await begun(client);
    expire();
    clock.advance(DAY - 2 * MINUTE);
    const { presignedURL } = (await upload.address(client, 1)).body.data as { presignedURL: string };
    clock.advance(2 * MINUTE);
    expect(reasonOf(await upload.address(client, 2))).toEqual(EXPIRED);
    expect(reasonOf(await client.put(presignedURL, upload.bytes.subarray(0, PART)))).toEqual([
      410,
      'upload_url_expired',
    ]);
  });

  it('is of no use at all once it is revoked', async () => {
    const ann = await writer('ann');
    const one = await sent(ann.client);
    const many = await begun(ann.client);
    expire();
    expect((await many.address(ann.client, 1)).status).toBe(200);
    world.authority.revoke(ann.id);
    await revoked(() => many.address(ann.client, 1));
    expect(reasonOf(await one.complete(ann.client))).toEqual([401, 'token_revoked']);
    expect(reasonOf(await many.abort(ann.client))).toEqual([401, 'token_revoked']);
  });

  it('lets an upload go on with another token of the account, also when the first was revoked', async () => {
    const first = await writer('ann');
    const upload = await begun(first.client);
    await upload.sendPart(first.client, 1);
    world.authority.revoke(first.id);
    await revoked(() => first.client.get('/v1/entities'));
    const second = await writer('ann');
    const path = `/v2/imagefile/${upload.id}/_multipart`;
    const resumed = await second.client.send('POST', path, { filesize: upload.bytes.length, resume: true });
    expect(resumed.body.data.uploadID).toBe(upload.uploadID);
    const parts = Object.entries(JSON.parse(resumed.body.data.options.received as string)).map(
      ([number, token]) => ({ partNumber: Number(number), token }),
    );
    expect(parts).toHaveLength(1);
    expire();
    for (let number = 2; number <= upload.totalParts; number += 1)
      parts.push(await upload.sendPart(second.client, number));
    expect((await upload.complete(second.client, parts)).status).toBe(200);
  });

  describe('in a build', () => {
    it('has what was exchanged from it end at its own end, and gets the image of the build for ten minutes', async () => {
      const submitter = await writer('ann');
      const worker = await writer('ann', {
        aud: 'library',
        origin: submitter.id,
        act: { sub: 'builder' },
        exp: Math.floor(clock.now().getTime() / 1000) + 300,
        scope: `library:read library:write:${PLACE}`,
        subject: { job: newObjectId(), container: PLACE },
      });
      const before = await sent(submitter.client);
      const { id, bytes, container, complete } = await sent(worker.client);
      expire();
      expect((await complete(worker.client)).status).toBe(200);
      expect((await worker.client.tag(container, 'built', id)).status).toBe(200);
      const image = `/v1/images/${PLACE}:built?arch=amd64`;
      const file = `/v1/imagefile/${PLACE}:built?arch=amd64`;
      expect((await submitter.client.get(image)).body.data.hash).toBe(hashOf(bytes));
      expect((await submitter.client.get(file)).status).toBe(200);
      // Read, not changed; and no other image.
      expect(reasonOf(await submitter.client.tag(container, 'mine', id))).toEqual(EXPIRED);
      const hash = hashOf(before.bytes);
      expect(reasonOf(await submitter.client.get(`/v1/images/${PLACE}:${hash}`))).toEqual(EXPIRED);
      clock.advance(11 * MINUTE);
      expect(reasonOf(await submitter.client.get(image))).toEqual(EXPIRED);
      expect(reasonOf(await submitter.client.get(file))).toEqual(EXPIRED);
      expect(reasonOf(await worker.client.tag(container, 'built', id))).toEqual(EXPIRED);
    });

    it('what was exchanged ends with its job, in the middle of an upload too', async () => {
      const worker = await writer('ann', { aud: 'library', origin: newObjectId(), act: { sub: 'builder' } });
      const upload = await begun(worker.client);
      const { presignedURL } = (await upload.address(worker.client, 1)).body.data as { presignedURL: string };
      expire();
      expect(reasonOf(await upload.address(worker.client, 2))).toEqual(EXPIRED);
      expect(reasonOf(await worker.client.put(presignedURL, upload.bytes.subarray(0, PART)))).toEqual([
        410,
        'upload_url_expired',
      ]);
    });
  });

  describe('with the proof that a download was begun', () => {
    const FILE = `/v1/imagefile/${PLACE}:proof?arch=amd64`;
    let other: string;
    beforeAll(async () => {
      const { client } = await writer('ann');
      for (const tag of ['proof', 'other']) {
        const { id, container, complete } = await sent(client);
        await complete(client);
        await client.tag(container, tag, id);
      }
      other = `/v1/imagefile/${PLACE}:other?arch=amd64`;
      clock.advance(11 * MINUTE);
    });

    const range = async (client: StockClient, path: string, proof?: string): Promise<AppAnswer> =>
      world.app.request(path, {
        ...(client.token === undefined ? {} : { token: client.token }),
        headers: {
          range: 'bytes=10-19',
          ...(proof === undefined ? {} : { [DOWNLOAD_PROOF_HEADER]: proof }),
        },
      });
    const proofOf = ({ headers }: AppAnswer): string | undefined =>
      headers[DOWNLOAD_PROOF_HEADER] as string | undefined;

    it('goes on with that download, with the same token, for a day', async () => {
      const ann = await writer('ann');
      const bob = await writer('bob');
      const proof = proofOf(await range(ann.client, FILE)) ?? '';
      expect(proof).not.toBe('');
      const proofOfBob = proofOf(await range(bob.client, FILE)) ?? '';
      expire();
      const further = await range(ann.client, FILE, proof);
      // No new proof: a download does not renew itself.
      expect([further.status, proofOf(further)]).toEqual([206, undefined]);
      expect(reasonOf(await range(ann.client, FILE))).toEqual(EXPIRED);
      expect(reasonOf(await range(ann.client, other, proof))).toEqual(EXPIRED);
      expect(reasonOf(await range(ann.client, FILE, proofOfBob))).toEqual(EXPIRED);
      for (const wrong of ['', 'x', `${proof}x`, proof.replace(/^\d/, '9'), proof.slice(0, -1)])
        expect(reasonOf(await range(ann.client, FILE, wrong))).toEqual(EXPIRED);
      // Without the token it is nothing; with it, it is good for this alone.
      expect((await range(world.anonymous, FILE, proof)).status).toBe(404);
      expect(reasonOf(await range(ann.client, `/v1/images/${PLACE}:proof`, proof))).toEqual(EXPIRED);
      clock.advance(DAY);
      expect(reasonOf(await range(ann.client, FILE, proof))).toEqual(EXPIRED);
    });

    it('ends with the token, and with the right to read', async () => {
      const ann = await writer('ann');
      const eve = await writer('eve');
      const proof = proofOf(await range(ann.client, FILE)) ?? '';
      const proofOfEve = proofOf(await range(eve.client, FILE)) ?? '';
      expire();
      expect((await range(eve.client, FILE, proofOfEve)).status).toBe(206);
      await world.authority.token({ username: 'eve', organisations: {} });
      expect((await range(eve.client, FILE, proofOfEve)).status).toBe(404);
      world.authority.revoke(ann.id);
      await revoked(() => range(ann.client, FILE, proof));
    });

    it('gets a new one as long as it is good, and nobody else gets any', async () => {
      const { client } = await writer('ann');
      const first = proofOf(await range(client, FILE)) ?? '';
      clock.advance(30_000);
      expect(proofOf(await range(client, FILE, first))).toMatch(/^\d+\./);
      await world.tester.push('tester/life/public', await testImage());
      const answer = await range(world.anonymous, '/v1/imagefile/tester/life/public:latest?arch=amd64');
      expect([answer.status, proofOf(answer)]).toEqual([206, undefined]);
    });
  });
});
