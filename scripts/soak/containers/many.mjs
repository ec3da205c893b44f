import { untilNothing } from '../until.mjs';
import { lackingWays, waysOf } from './ways.mjs';

/** At once are a fifth of those in a row. */
const AT_ONCE = 5;
const PATIENCE = 5000;

/** Every way of starting `times` in a row and then a fifth of them at once. @throws Error with the first start that fails, or with what is left */
export async function manyStarts(world, { times }) {
  // Shared image servers stay for their idle time: its end is waited for once.
  const ways = waysOf(world).sort((one, other) => one.idle - other.idle);
  const atOnce = Math.ceil(times / AT_ONCE);
  const spent = [];
  for (const way of ways) {
    const begin = performance.now();
    for (let number = 0; number < times; number += 1)
      await succeed(way, way.steps(`n${number}`), `start ${number}`);
    await requireNothing(world, way, `${times} in a row`);
    const row = performance.now();
    await Promise.all(
      Array.from({ length: atOnce }, (_, number) =>
        succeed(way, way.atOnce(`n${number}`), `start ${number} of ${atOnce} at once`),
      ),
    );
    await requireNothing(world, way, `${atOnce} at once`);
    spent.push(`${way.name} ${seconds(begin, row)} + ${seconds(row, performance.now())}`);
  }
  const idle = Math.max(...ways.map((way) => way.idle));
  await world.traces.requireNothing(`${idle} s after the last start`, idle);
  const count = `${ways.length} ways: ${ways.length * times} starts in a row, ${ways.length * atOnce} at once`;
  return `${count}, nothing left${lackingWays()} (${spent.join(', ')})`;
}

/** Nothing may be left at once but servers that are to stay for a while. */
async function requireNothing(world, way, when) {
  if (way.idle === 0) return world.traces.requireNothing(`of ${way.name}, ${when}`);
  return untilNothing(
    `process or mount of ${way.name}, ${when}`,
    () => world.traces.live(['sing-image']),
    PATIENCE,
  );
}

const seconds = (from, to) => `${((to - from) / 1000).toFixed(1)} s`;

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
