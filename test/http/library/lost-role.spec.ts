import { once } from 'node:events';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EntitiesStore } from '#apps/library/src/tree/entities.store';
import { FinishUploadService } from '#apps/library/src/uploads/finishUpload.service';
import { UploadsStore } from '#apps/library/src/uploads/uploads.store';
import { newObjectId } from '#libs/core';
import type { AppAnswer } from '../../support/app.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

const PART = 100_000;
type Role = 'reader' | undefined;
const ROLES: readonly Role[] = [undefined, 'reader'];

/** Who may write is looked at when an upload ends, not only when it begins. */
describe.each(['private', 'public'])('a role that is taken during an upload to a %s place', (privacy) => {
  const team = `team-${privacy}`;
  const place = `${team}/life/image`;
  let world: World;
  let entity: string;
  let ann: StockClient;
  let tokenId: string;
  beforeAll(async () => {
    world = await startLibrary({ limits: { partBytes: PART } });
    const made = await world.admin.entity(team, { defaultPrivate: privacy === 'private', quota: 10_000_000 });
    entity = made.body.data.id as string;
  });
  afterAll(() => world.stop());
  beforeEach(async () => {
    tokenId = newObjectId();
    ann = world.client(await setRole('writer', { jti: tokenId }));
  });

  const setRole = (role: 'writer' | Role, claims: object = {}, scopes?: readonly string[]) =>
    world.authority.token({
      username: 'ann',
      organisations: role === undefined ? {} : { [team]: role },
      claims,
      ...(scopes === undefined ? {} : { scopes }),
    });

  interface Begun {
    readonly image: string;
    readonly hash: string;
  }
  async function announced(size: number) {
    const bytes = await testImage({ size });
    const hash = hashOf(bytes);
    const image = (await ann.image(await ann.place(place), hash)).body.data.id as string;
    return { image, hash, bytes };
  }
  async function sentWhole() {
    const { bytes, ...begun } = await announced(4096);
    const path = `/v2/imagefile/${begun.image}`;
    const start = await ann.send('POST', path, { filesize: bytes.length });
    expect((await ann.put(start.body.data.uploadURL as string, bytes)).status).toBe(200);
    return { ...begun, complete: (as = ann) => as.send('PUT', `${path}/_complete`, {}) };
  }
  async function sentInParts() {
    const { bytes, ...begun } = await announced(2 * PART);
    const path = `/v2/imagefile/${begun.image}/_multipart`;
    const start = await ann.send('POST', path, { filesize: bytes.length });
    const { uploadID, totalParts } = start.body.data as { uploadID: string; totalParts: number };
    const address = (partNumber = 1) => ann.send('PUT', path, { uploadID, partNumber, sha256sum: '' });
    const completedParts: object[] = [];
    for (let number = 1; number <= totalParts; number += 1) {
      const { presignedURL } = (await address(number)).body.data as { presignedURL: string };
      const answer = await ann.put(presignedURL, bytes.subarray((number - 1) * PART, number * PART));
      completedParts.push({ partNumber: number, token: String(answer.headers['etag']) });
    }
    const complete = () => ann.send('PUT', `${path}_complete`, { uploadID, completedParts });
    const abort = () => ann.send('PUT', `${path}_abort`, { uploadID });
    return { ...begun, address, complete, abort };
  }

  const isBlob = async ({ hash }: Begun) => (await world.blobs()).includes(hash.slice('sha256.'.length));
  /** What is left of an upload: bytes, records, what it holds of the quota, and whether the image is there. */
  async function leftOf(begun: Begun): Promise<object> {
    const { held, size } = (await world.app.get(EntitiesStore).get(entity))?.value ?? {};
    return {
      temporaries: await world.temporaries(),
      blob: await isBlob(begun),
      uploads: await world.app.get(UploadsStore).ofImage(begun.image, 20),
      held,
      size,
      uploaded: (await world.admin.get(`/v1/images/${place}:${begun.hash}`)).body.data.uploaded as unknown,
    };
  }
  const NOTHING = { temporaries: [], blob: false, uploads: [], held: 0, size: 0, uploaded: false };
  const outcomeOf = ({ status, body }: AppAnswer): unknown => [status, body.error?.reason];
  const refusalOf = (role: Role): unknown =>
    privacy === 'private' && role === undefined ? [404, 'image_not_found'] : [403, 'not_owner'];

  it.each(ROLES)('ends what was sent in one piece (now %s)', async (role) => {
    const upload = await sentWhole();
    await setRole(role);
    expect(outcomeOf(await upload.complete())).toEqual(refusalOf(role));
    expect(await leftOf(upload)).toEqual(NOTHING);
    expect(outcomeOf(await upload.complete())).toEqual(refusalOf(role));
  });

  it.each(['address', 'complete', 'abort'] as const)(
    'ends what was sent in parts, with the next %s',
    async (next) => {
      const upload = await sentInParts();
      await setRole('reader');
      expect(outcomeOf(await upload[next]())).toEqual(refusalOf('reader'));
      expect(await leftOf(upload)).toEqual(NOTHING);
    },
  );

  it('ends what is sent in the request that makes the image', async () => {
    const { bytes, ...begun } = await announced(4096);
    const sending = request(new URL(`/v1/imagefile/${begun.image}`, world.app.url), {
      method: 'POST',
      ca: world.app.ca,
      headers: { authorization: `Bearer ${ann.token}`, 'content-length': String(bytes.length) },
    });
    sending.write(bytes.subarray(0, -1));
    // It was let in, and waits for the last byte.
    await expect.poll(() => world.temporaries()).toHaveLength(1);
    await setRole('reader');
    sending.end(bytes.subarray(-1));
    const [answer] = (await once(sending, 'response')) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(403);
    expect(await leftOf(begun)).toEqual(NOTHING);
  });

  it.each([
    ['the role is taken', 403, () => setRole('reader')],
    [
      'the token is revoked',
      401,
      async () => {
        world.authority.revoke(tokenId);
        await world.authority.verifier?.refreshAfterChange();
      },
    ],
  ] as const)('ends an upload whose bytes are just being checked when %s', async (_, status, take) => {
    const upload = await sentInParts();
    const finishing = world.app.get(FinishUploadService);
    const store = finishing.store.bind(finishing);
    finishing.store = async (one, blob, ...rest) => {
      const verify = blob.verify.bind(blob);
      blob.verify = async (digest) => {
        await verify(digest);
        await take();
      };
      await store(one, blob, ...rest);
    };
    const answer = await upload.complete();
    finishing.store = store;
    expect(answer.status).toBe(status);
    expect(await leftOf(upload)).toEqual(NOTHING);
  });

  it('is not taken by somebody else, nor by a token that may less', async () => {
    const upload = await sentWhole();
    const weak = world.client(await setRole('writer', {}, [`library:write:${team}/life/other`]));
    const hidden = privacy === 'private';
    expect((await upload.complete(weak)).body.error.reason).toBe(
      hidden ? 'image_not_found' : 'scope_missing',
    );
    expect((await upload.complete(world.other)).status).toBe(hidden ? 404 : 403);
    expect((await upload.complete()).status).toBe(200);
    expect(await isBlob(upload)).toBe(true);
  });
});
