import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SERVICE_NAMES } from '#libs/contract';
import { UpgradeRouter } from '#libs/server';
import type { Caller } from '../../support/access/callers.js';
import { type Cell, cellsOf, type Outcome } from '../../support/access/expected.js';
import { ACCESS, type Described, type ObjectName, type Rule } from '../../support/access/table.js';
import type { AppAnswer } from '../../support/app.js';
import { answerTo, differences, toldBy } from './answers.js';
import { type Asked, World } from './world.js';

/** What a request is to be about. */
export interface About<W> {
  readonly world: W;
  readonly caller: Caller;
  readonly rule: Rule;
  readonly object: ObjectName;
  /** Of the same kind, and not there. */
  readonly missing: boolean;
  /** The same for the object and for what is missing, and for nothing else. */
  readonly serial: number;
}

/** A good request, whose only fault can be who sends it. */
interface Attempt extends Asked {
  /** In a list that shows the object: its id. */
  readonly shows?: string;
  /** The build that an exchanged token is for. */
  readonly job?: string;
  /** Puts back what others need. */
  readonly after?: () => Promise<unknown>;
}

type Ask<W> = (about: About<W>) => Attempt | Promise<Attempt>;
/** How to ask at each route of a service. What a request uses up is made for it. */
export type Asks<S extends Described, W> = Readonly<Record<keyof (typeof ACCESS)[S], Ask<W>>>;

/**
 * Asks at every route of a service as everybody for everything, and compares with the table.
 * @param prepare starts an instance and puts into it what `asks` speaks of
 */
export function describeAccess<S extends Described, W extends { readonly world: World }>(
  service: S,
  prepare: () => Promise<W>,
  asks: Asks<S, W>,
): void {
  const rows: Readonly<Record<string, Rule>> = ACCESS[service];
  let prepared: W;
  let statuses: ReadonlyMap<string, number>;

  beforeAll(async () => {
    prepared = await prepare();
    statuses = await statusesOf(prepared.world, service);
  });
  // Undefined when it could not be prepared.
  afterAll(() => (prepared as W | undefined)?.world.stop());

  test(`every route of ${service} has a row in the table, and every row is a route`, () => {
    expect(Object.keys(rows).toSorted()).toEqual([...statuses.keys()].toSorted());
  });

  describe.each(Object.entries(rows))('%s', (route, rule) => {
    const ask = (asks as Readonly<Record<string, Ask<W>>>)[route];
    test.each(cellsOf(rule).map((cell) => [nameOf(cell), cell] as const))(
      `${route} · %s`,
      async (_, { caller, object, outcome }) => {
        if (ask === undefined) throw new Error('Nobody has said how to ask here');
        const { world } = prepared;
        const about = { world: prepared, caller, rule, object, serial: world.next() };
        const send = async (attempt: Attempt): Promise<AppAnswer> =>
          answerTo(world, attempt, await world.credentials(caller, rule, { service, job: attempt.job }));
        const attempt = await ask({ ...about, missing: false });
        const answer = await send(attempt);
        await attempt.after?.();
        // A look at the headers alone is a look. Passwords take long to check, and are checked in the same way.
        const hasHead =
          route.startsWith('GET /') && !attempt.path.startsWith('ws:') && caller.shows !== 'password';
        const head = hasHead ? await send({ ...attempt, method: 'HEAD' }) : answer;
        expect(head.status).toBe(answer.status);
        expect(faceOf(answer, attempt)).toEqual(
          wanted(outcome, typeof rule.answers === 'number' ? rule.answers : statuses.get(route), attempt),
        );
        if (outcome.kind === 'sign-in' || outcome.asMissing !== true) return;
        const missing = await ask({ ...about, missing: true });
        const words = differences(attempt, missing);
        expect(toldBy(answer, words.one)).toEqual(toldBy(await send(missing), words.other));
      },
    );
  });
}

test('every description is one of the table', () => {
  expect(Object.keys(ACCESS).toSorted()).toEqual(
    [...SERVICE_NAMES.filter((name) => name !== 'worker'), 'system'].toSorted(),
  );
});

function nameOf({ caller, object, outcome }: Cell): string {
  return `${caller.name} · ${object}: ${wordsFor(outcome)}`;
}

function wordsFor(outcome: Outcome): string {
  if (outcome.kind === 'sign-in') return 'to the sign-in page';
  if (outcome.kind === 'refused')
    return `${outcome.status}${outcome.asMissing ? ' as if it were not there' : ''}`;
  return outcome.shown === undefined ? 'done' : outcome.shown ? 'listed' : 'not listed';
}

/** What is compared of an answer. */
interface Face {
  readonly status: number;
  readonly toSignIn?: boolean;
  readonly shown?: boolean;
  /** For whoever looks into a failure; of a good answer it says nothing. */
  readonly body?: unknown;
}

function faceOf({ status, headers, body }: AppAnswer, { shows }: Attempt): Face {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return {
    status,
    ...(status === 303 && { toSignIn: headers['location'] === '/auth/sign-in' }),
    ...(shows !== undefined && status < 300 && { shown: text.includes(shows) }),
    ...(status >= 400 && { body: text.slice(0, 500) }),
  };
}

function wanted(outcome: Outcome, done: number | undefined, { shows }: Attempt): unknown {
  // A refusal is told in the words of the service.
  const refusal = { body: expect.stringMatching(/\S/) };
  if (outcome.kind === 'sign-in') return { status: 303, toSignIn: true };
  if (outcome.kind === 'refused') return { status: outcome.status, ...refusal };
  if (done === undefined) throw new Error('The description of the route is missing');
  return {
    status: done,
    ...(done === 303 && { toSignIn: false }),
    ...(shows !== undefined && { shown: outcome.shown }),
    ...(done >= 400 && refusal),
  };
}

/** Every route that the service describes, with what it answers to a good request. Websockets have no description. */
async function statusesOf({ app }: World, service: Described): Promise<ReadonlyMap<string, number>> {
  const { paths } = (await app.request(`/docs/${service}.json`)).body as {
    paths: Record<string, Record<string, { responses: object }>>;
  };
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { responses }]) =>
        [`${method.toUpperCase()} ${path}`, Number(Object.keys(responses)[0])] as const,
    ),
  );
  const sockets = app
    .get(UpgradeRouter)
    .paths.map((path) => [`GET ${path.replaceAll(/:(\w+)/g, '{$1}')}`, 101] as const);
  return new Map([...described, ...(service === 'builder' ? sockets : [])]);
}
