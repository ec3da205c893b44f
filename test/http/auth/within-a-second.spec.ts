import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { sqliteDatabase } from '../../support/databases.js';
import { PASSWORD, ProbeModule, World } from './world.js';

/* What is taken from somebody is taken everywhere within a second: asked at a service that reads the feed over HTTPS. */

let world: World;
let service: StartedApp;
beforeAll(async () => {
  world = await World.start(await sqliteDatabase());
  service = await startApp({
    modules: [ProbeModule],
    home: world.app.home,
    env: { SCS_SERVICES: 'library', SCS_AUTH_URL: world.app.url },
  });
});
afterAll(async () => {
  await service.stop();
  await world.app.stop();
  const sorted = measured.toSorted((a, b) => a - b).map(Math.round);
  process.stdout.write(`Known at another service after ${sorted.join(', ')} ms\n`);
});

/** Only a bound for what hangs; the promise is printed, and held by the interval at which services ask. */
const DEADLINE = 10_000;
const measured: number[] = [];

/** Asks the other service until it says what it is to say. */
async function until(
  ask: () => Promise<AppAnswer>,
  right: (answer: AppAnswer) => boolean,
): Promise<AppAnswer> {
  const began = performance.now();
  for (;;) {
    const answer = await ask();
    const passed = performance.now() - began;
    if (right(answer)) measured.push(passed);
    if (right(answer) || passed > DEADLINE) return answer;
  }
}
const probe = (token: string) => service.request('/v1/probe', { token });
const refused = ({ status }: AppAnswer) => status === 401;

describe('another service knows', () => {
  test('who left an organisation, who came, and which organisation was disabled', async () => {
    const [owner, member] = [await world.user(), await world.user()];
    const org = await world.organisation(owner, { [member]: 'writer' });
    const { token } = await world.token(member);
    const roles = (wanted: object) => (answer: AppAnswer) =>
      JSON.stringify(answer.body.data.organisations) === JSON.stringify(wanted);
    const path = `/organisations/${org}/members/${member}`;
    const known = async (wanted: object) =>
      (await until(() => probe(token), roles(wanted))).body.data.organisations;

    expect(await known({ [org]: 'writer' })).toEqual({ [org]: 'writer' });
    await world.expect(world.send('DELETE', path));
    expect(await known({})).toEqual({});
    await world.expect(world.send('PUT', path, { json: { role: 'reader' } }));
    expect(await known({ [org]: 'reader' })).toEqual({ [org]: 'reader' });
    await world.expect(world.send('PATCH', `/organisations/${org}`, { json: { disabled: true } }));
    expect(await known({})).toEqual({});
  });

  test('which account was disabled, or is no administrator any more', async () => {
    const user = await world.user({ administrator: true });
    const { token } = await world.token(user, { scopes: ['admin'] });
    expect((await probe(token)).body.data.administrator).toBe(true);
    const change = (json: object) => world.expect(world.send('PATCH', `/users/${user}`, { json }));
    await change({ administrator: false });
    const demoted = await until(
      () => probe(token),
      (answer) => answer.body.data.administrator === false,
    );
    expect(demoted.body.data.administrator).toBe(false);
    await change({ disabled: true });
    expect((await until(() => probe(token), refused)).body.error.reason).toBe('account_disabled');
  });

  test('that all tokens ended with the password', async () => {
    const user = await world.user();
    const tokens = await Promise.all(Array.from({ length: 5 }, () => world.token(user)));
    for (const { token } of tokens) expect((await probe(token)).status).toBe(200);
    const json = { password: `${PASSWORD} 2`, revokeTokens: true };
    await world.expect(world.send('PUT', `/users/${user}/password`, { as: { user }, json }));
    for (const { token } of tokens)
      expect((await until(() => probe(token), refused)).body.error.reason).toBe('token_revoked');
  });

  test('that a robot is disabled', async () => {
    const org = await world.organisation(await world.user());
    const { username, token } = await world.robot(org);
    expect(
      (
        await until(
          () => probe(token),
          ({ status }) => status === 200,
        )
      ).body.data.kind,
    ).toBe('robot');
    const path = `/organisations/${org}/robots/${username.slice(org.length + 1)}`;
    await world.expect(world.send('PATCH', path, { json: { disabled: true } }));
    expect((await until(() => probe(token), refused)).body.error.reason).toBe('account_disabled');
  });
});
