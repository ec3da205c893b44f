import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AuditEntry, ServiceName } from '#libs/contract';
import { systemClock } from '#libs/core';
import { OPEN_ROUTES, proofAudience, ServiceKey, templateOf } from '#libs/server';
import { expectedOfStranger, ruleOf } from '../support/access/expected.js';
import {
  ANONYMOUS_READS,
  BETWEEN_SERVICES,
  BY_PEOPLE,
  INTERNAL_HEADERS,
  type Answers,
} from '../support/internal-requests.js';
import type { Recorded, Replay } from '../support/recorder.js';
import {
  bare,
  bearerOf,
  claimsOf,
  handshake,
  identityOf,
  isWebSocket,
  pairOf,
  routeOf,
  withToken,
} from '../support/replays.js';
import { TrustScene } from '../support/trust-scene.js';

/* No service trusts another one. All of them run, each by itself; every request between them is recorded and sent once more, with something missing. */

const TABLE = { ...BETWEEN_SERVICES, ...BY_PEOPLE };
const SERVICES = ['auth', 'keystore', 'library', 'builder', 'worker', 'web'] as const;
/** Those of it that one build was given. */
type BuildTokens = Partial<Record<'builder' | 'library' | 'keystore', string>>;

/** Six processes, two builds and a dozen commands, on a machine that is busy with other tests. */
const SCENE_TIME = 300_000;

let scene: TrustScene;
/** Requests between services, and those of people's programs; each only once that was sent several times. */
let internal: readonly Recorded[];
let byPeople: readonly Recorded[];
let buildTokens: ReadonlyMap<string, BuildTokens>;
let replays = 0;

beforeAll(async () => {
  scene = await TrustScene.play();
  const different = new Map(scene.recorded.map((one) => [identityOf(one), one]));
  internal = [...different.values()].filter(({ from }) => from !== 'people');
  byPeople = [...different.values()].filter(({ from }) => from === 'people');
  buildTokens = tokensOfBuilds(internal);
  return async () => {
    process.stdout.write(`${internal.length} requests between services, ${replays} sent in another way\n`);
    await scene.stop();
  };
}, SCENE_TIME);

function tokensOfBuilds(requests: readonly Recorded[]): Map<string, BuildTokens> {
  const found = new Map<string, BuildTokens>();
  for (const one of requests) {
    const token = one.from === 'worker' ? bearerOf(one) : undefined;
    if (token === undefined) continue;
    const { job } = claimsOf(one).subject;
    found.set(job, { ...found.get(job), [one.to]: token });
  }
  return found;
}

/** Sends it and says what is wrong with the answer, for people; undefined when all is well. */
async function fault(
  one: Recorded,
  sent: Replay,
  what: string,
  isRight: (status: number) => boolean,
): Promise<string | undefined> {
  replays += 1;
  const { status, body } = await scene.services.recorder.replay(sent);
  if (isRight(status)) return undefined;
  return `${pairOf(one)}: ${one.method} ${one.target} ${what}: ${status} ${body.slice(0, 200)}`;
}

/** One after the other, because each is sent to a service that works on the others. */
async function faults(
  requests: readonly Recorded[],
  look: (one: Recorded, answers: Answers) => Promise<string | undefined>,
): Promise<string[]> {
  const found: string[] = [];
  for (const one of requests) {
    if (isWebSocket(one)) continue;
    const wrong = await look(one, routeOf(one)[1]);
    if (wrong !== undefined) found.push(wrong);
  }
  return found;
}

const isAnswered = (status: number): boolean => status >= 200 && status < 300;

describe('no implicit trust', () => {
  it('every request between services is in the table, and every line of the table was seen', () => {
    const seen: Record<string, Set<string>> = {};
    for (const one of scene.recorded) (seen[pairOf(one)] ??= new Set()).add(routeOf(one)[0]);
    const sorted = (table: Readonly<Record<string, Iterable<string>>>) =>
      Object.fromEntries(Object.entries(table).map(([pair, routes]) => [pair, [...routes].toSorted()]));
    const listed = Object.fromEntries(
      Object.entries(TABLE).map(([pair, routes]) => [pair, Object.keys(routes)]),
    );
    expect(sorted(seen)).toEqual(sorted(listed));
    // Two builds, so that one can show the tokens of the other.
    const both = { builder: expect.any(String) as string, library: expect.any(String) as string };
    // The second one looks up who signed its base.
    expect([...buildTokens.values()]).toEqual([both, { ...both, keystore: expect.any(String) }]);
  });

  it('what needs nothing is a closed list, and part of the table of open routes', () => {
    const open = Object.keys(OPEN_ROUTES).map((route) => templateOf(route));
    const reads = Object.values(TABLE).flatMap((routes) =>
      Object.entries(routes).flatMap(([route, { bare: status }]) => (status === 200 ? [route] : [])),
    );
    expect([...new Set(reads)].toSorted()).toEqual([...ANONYMOUS_READS].toSorted());
    expect(ANONYMOUS_READS.filter((route) => !open.includes(route))).toEqual([]);
    // What is refused for another reason than a missing token is open, too: by its own proof, or because all of it is hidden.
    const selfChecked = Object.values(TABLE).flatMap((routes) =>
      Object.entries(routes).flatMap(([route, { bare: status }]) => (status === 401 ? [] : [route])),
    );
    expect(selfChecked.filter((route) => !open.includes(route))).toEqual([]);
  });

  it('what strangers get is what the table of access says, for what is private and not theirs', () => {
    const refused = Object.values(TABLE).flatMap((routes) =>
      Object.entries(routes).flatMap(([route, { stranger }]) =>
        stranger === undefined || stranger === 'own' ? [] : [[route, stranger] as const],
      ),
    );
    expect(refused.length).toBeGreaterThan(20);
    for (const [route, status] of refused) {
      const { objects } = ruleOf(route);
      const object = objects.includes('private') ? 'private' : "another person's";
      expect([route, expectedOfStranger(route, object)]).toEqual([
        route,
        expect.objectContaining({ kind: 'refused', status }),
      ]);
    }
  });

  it('a service shows the token of the person who asked, or one exchanged from it, and nothing else that could say who it is', () => {
    const headers = new Set(internal.flatMap((one) => Object.keys(one.headers)));
    expect([...headers].filter((name) => !INTERNAL_HEADERS.includes(name))).toEqual([]);
    const shown = internal.filter((one) => bearerOf(one) !== undefined);
    // What needs a token has one.
    expect(internal.filter((one) => !shown.includes(one) && routeOf(one)[1].bare === 401)).toEqual([]);
    expect(new Set(shown.map((one) => claimsOf(one).username))).toEqual(new Set(['ann']));
    // A worker has no other token than those of its build.
    for (const one of shown.filter(({ from }) => from === 'worker'))
      expect(claimsOf(one)).toMatchObject({ aud: one.to, act: { sub: 'builder' }, origin: scene.ann.id });
    for (const one of shown.filter(({ from, to }) => from === 'worker' && to === 'builder'))
      expect(one.target).toContain(`/v1/build/${claimsOf(one).subject.job}/`);
  });

  it('nothing is answered without its token, signature or proof', async () => {
    expect(
      await faults([...internal, ...byPeople], (one, answers) =>
        fault(one, bare(one), 'without a token', (status) =>
          answers.bare === 200 ? isAnswered(status) : status === answers.bare,
        ),
      ),
    ).toEqual([]);
  });

  it('nothing is answered to somebody else', async () => {
    expect(
      await faults([...internal, ...byPeople], async (one, { stranger }) =>
        stranger === undefined
          ? undefined
          : fault(one, withToken(one, scene.bob.token), 'with the token of a stranger', (status) =>
              stranger === 'own' ? isAnswered(status) : status === stranger,
            ),
      ),
    ).toEqual([]);
  });

  it('nothing is answered for a token of the right person that is for another service', async () => {
    const [tokens] = buildTokens.values();
    const tried = await faults([...internal, ...byPeople], async (one, answers) => {
      // What looks at no header is not asked.
      if (bearerOf(one) === undefined || answers.bare === 200) return undefined;
      const token = one.to === 'library' ? tokens?.builder : tokens?.library;
      return fault(one, withToken(one, token ?? ''), 'with a token for another service', (status) =>
        answers.otherService === 'own' ? isAnswered(status) : status === (isTokenStatus(one) ? 404 : 401),
      );
    });
    expect(tried).toEqual([]);
  });

  it('nothing is answered for the token of another build, but what that build may read', async () => {
    expect(
      await faults(internal, async (one, { otherBuild }) => {
        if (otherBuild === undefined || one.from !== 'worker') return undefined;
        const { job } = claimsOf(one).subject;
        const [others] = [...buildTokens].flatMap(([id, tokens]) => (id === job ? [] : [tokens]));
        const other = others?.[one.to as 'builder' | 'library'] ?? '';
        return fault(one, withToken(one, other), 'with the token of another build', (status) =>
          otherBuild === 'answered' ? isAnswered(status) : status === otherBuild,
        );
      }),
    ).toEqual([]);
  });

  it('nothing is answered to a service for being one: its own proof is no token', async () => {
    const keys = new Map(
      await Promise.all(
        (['builder', 'worker'] as const).map(async (service) => [service, await keyOf(service)] as const),
      ),
    );
    const { iss = '' } = decodeJwt(scene.ann.token);
    expect(
      await faults(internal, async (one, answers) => {
        if (bearerOf(one) === undefined || answers.bare === 200) return undefined;
        const key = keys.get(one.from === 'worker' ? 'worker' : 'builder');
        const audience = proofAudience(iss, one.to === 'builder' ? 'builder' : 'auth');
        const proof = (await key?.assertion(audience)) ?? '';
        return fault(one, withToken(one, proof), 'with the proof of a service', (status) => status === 401);
      }),
    ).toEqual([]);
  });

  it('a fresh proof of the builder gets nothing for the token of somebody else that is not already theirs', async () => {
    const exchanges = internal.filter(({ target }) => target === '/v1/auth/token');
    // Two builds, and three services that each may ask.
    expect(exchanges).toHaveLength(6);
    const key = await keyOf('builder');
    const { iss = '' } = decodeJwt(scene.ann.token);
    const send = async (one: Recorded, subject: string | undefined) => {
      const form = new URLSearchParams(one.body.toString());
      form.set('client_assertion', await key.assertion(proofAudience(iss, 'auth')));
      if (subject === undefined) form.delete('subject_token');
      else form.set('subject_token', subject);
      replays += 1;
      return scene.services.recorder.replay({ ...one, body: Buffer.from(form.toString()) });
    };
    for (const one of exchanges) {
      expect((await send(one, undefined)).status).toBe(400);
      for (const tokens of buildTokens.values())
        for (const token of Object.values(tokens))
          expect([401, 403]).toContain((await send(one, token)).status);
      const { status, body } = await send(one, scene.bob.token);
      expect(status).toBe(200);
      // It is bob's: what ann was given by the same request, he is refused with it.
      const { access_token: bobs } = JSON.parse(body) as { access_token: string };
      const { aud, username } = decodeJwt<{ username: string }>(bobs);
      expect(username).toBe('bob');
      const wanted = await faults(
        internal.filter(({ from, to }) => from === 'worker' && to === aud),
        async (work, { stranger }) =>
          stranger === undefined
            ? undefined
            : fault(
                work,
                withToken(work, bobs),
                'with a token exchanged from a stranger’s',
                (answer) => answer === stranger,
              ),
      );
      expect(wanted).toEqual([]);
    }
  });

  it('a websocket is refused like every other request', async () => {
    const sockets = byPeople.filter(isWebSocket);
    expect(sockets.length).toBeGreaterThan(0);
    const [tokens] = buildTokens.values();
    for (const one of sockets) {
      expect(await handshake(one, undefined, scene.services)).toBe(routeOf(one)[1].bare);
      expect(await handshake(one, scene.bob.token, scene.services)).toBe(routeOf(one)[1].stranger);
      expect(await handshake(one, tokens?.library, scene.services)).toBe(401);
      expect(await handshake(one, tokens?.builder, scene.services)).toBe(401);
      expect(await handshake(one, scene.ann.token, scene.services)).toBe(101);
    }
  });

  it('each is answered as it was sent: what was refused was refused for its token', async () => {
    expect(
      await faults(internal, (one, { again }) =>
        fault(one, one, 'as it was sent', (status) => again?.includes(status) ?? isAnswered(status)),
      ),
    ).toEqual([]);
  });

  it('nothing of all that has changed anything of hers', async () => {
    const as = `Bearer ${scene.ann.token}`;
    for (const path of ['demo/hello', 'other/large', 'signed/hello']) {
      const container = await scene.ask<{ imageTags: object; size: number }>(
        'library',
        `/v1/containers/ann/${path}`,
        { as },
      );
      expect(Object.keys(container.imageTags)).toEqual(['1']);
    }
    const builds = await scene.ask<{ id: string; isComplete: boolean; imageSize: number }[]>(
      'builder',
      '/v1/build',
      { as },
    );
    expect(builds.map(({ id }) => id).toSorted()).toEqual([...buildTokens.keys()].toSorted());
    for (const { imageSize } of builds) expect(imageSize).toBeGreaterThan(0);
  });

  it('the trails tell the chain: from an image to the build, the exchange and the token of the person', async () => {
    const trail = (service: ServiceName, query: string) =>
      scene.ask<AuditEntry[]>(service, `/v1/audit?limit=500&outcome=done&${query}`, {
        as: `Bearer ${scene.services.admin}`,
      });
    const exchanges = await trail('auth', 'action=token.exchange&actor=ann');
    const ends = await trail('builder', 'action=build.end');
    const submits = await trail('builder', 'action=build.submit');
    for (const [job, { builder = '', library = '' }] of buildTokens) {
      const place = decodeJwt<{ subject: { container: string } }>(library).subject.container;
      const [push] = await trail('library', `action=image.push&subject=${place}`);
      const ids = { builder: decodeJwt(builder).jti, library: decodeJwt(library).jti };
      // The image names the token that it came with, and the one behind it …
      expect(push?.actor).toMatchObject({
        username: 'ann',
        tokenId: ids.library,
        originTokenId: scene.ann.id,
        via: 'builder',
      });
      // … auth says for which build that was made from which token, by whom …
      for (const audience of ['builder', 'library'] as const)
        expect(exchanges.find(({ subject }) => subject.name === ids[audience])).toMatchObject({
          actor: { username: 'ann', tokenId: scene.ann.id, via: 'builder' },
          after: { audience, job, place },
        });
      // … and the builder who asked for it, and how it ended.
      expect(submits.find(({ subject }) => subject.name === job)?.actor).toMatchObject({
        username: 'ann',
        tokenId: scene.ann.id,
        via: null,
      });
      expect(ends.find(({ subject }) => subject.name === job)?.actor).toMatchObject({
        username: 'ann',
        tokenId: ids.builder,
        originTokenId: scene.ann.id,
        via: 'builder',
      });
    }
    const [made] = await trail('auth', `action=token.create&subject=${scene.ann.id}`);
    expect(made).toMatchObject({ actor: { username: 'ann', tokenId: 'password' } });
  });

  it('nothing went past the recorder: the services know of no other request, and the kernel of no other connection', async () => {
    scene.services.recorder.look();
    expect([...scene.services.recorder.strays]).toEqual([]);
    await scene.services.end();
    for (const name of SERVICES)
      expect([name, scene.services.answeredBy(name)]).toEqual([name, scene.services.recorder.sentTo(name)]);
    expect(Object.keys(scene.services.recorder.sentTo('auth')).length).toBeGreaterThan(5);
  });
});

/** "404 for a presented-but-invalid token" (library contract §2.3). */
function isTokenStatus({ target }: Recorded): boolean {
  return target === '/v1/token-status';
}

function keyOf(service: 'builder' | 'worker'): Promise<ServiceKey> {
  const home = scene.services.homeOf(service);
  return ServiceKey.open({ service, dataFolder: join(home, 'data', service), home, clock: systemClock });
}
