import { untilNothing } from '../until.mjs';
import { lackingWays, waysOf } from './ways.mjs';

/** At once are a fifth of those in a row. */
const AT_ONCE = 5;
const PATIENCE = 5000;

/** Every way of starting `times` in a row and then a fifth of them at once. @throws Error with the first start that fails, or with what is left */
export async function manyStarts(world, { times }) {
  const ways = waysOf(world);
  const atOnce = Math.ceil(times / AT_ONCE);
  const spent = [];
  for (const way of ways) {
    const begin = performance.now();
    for (let number = 0; number < times; number += 1)
      await succeed(way, way.steps(`n${number}`), `start ${number}`);
    // Image servers stay for their idle time, whose end is waited for once.
    await untilNothing(
      `process or mount of ${way.name}, ${times} in a row`,
      () => world.traces.live(way.idle > 0 ? ['sing-image'] : []),
      PATIENCE,
    );
    const row = performance.now();
    await Promise.all(
      Array.from({ length: atOnce }, (_, number) =>
        succeed(way, way.atOnce(`n${number}`), `start ${number} of ${atOnce} at once`),
      ),
    );
    await world.traces.requireNothing(`${way.name}, ${atOnce} at once`, way.idle);
    spent.push(
      `${way.name} ${((row - begin) / 1000).toFixed(0)} + ${((performance.now() - row) / 1000).toFixed(0)} s`,
    );
  }
  const count = `${ways.length} ways: ${ways.length * times} starts in a row, ${ways.length * atOnce} at once`;
  return `${count}, nothing left${lackingWays()} (${spent.join(', ')})`;
}

/** Does the steps. @throws Error when one of them ends otherwise than it has to */
export async function succeed(way, steps, what) {
  for (const { words, input, expected } of steps) {
    const { status, signal, stdout, stderr } = await way.person.run(words, input);
    if (status !== 0 || stdout !== expected || stderr !== '')
      throw new Error(
        `${way.name}, ${what}: sing ${words.join(' ')} ended with ${signal ?? status}, said ${JSON.stringify(stdout)} and ${JSON.stringify(stderr)}`,
      );
  }
}
