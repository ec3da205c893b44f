// The stages `starts` and `start-kills`, and plans of the fuzzer, in namespaces of their own: node main.mjs STAGE FOLDER TIMES SEED
import { randomFrom } from '../random.mjs';
import { killedStarts } from './kills.mjs';
import { manyStarts } from './many.mjs';
import { startedPlans } from './plans.mjs';
import { makeWorld } from './world.mjs';

const STAGES = { starts: manyStarts, 'start-kills': killedStarts, plans: startedPlans };
const [stage, folder, times, seed] = process.argv.slice(2);
try {
  const world = await makeWorld(folder);
  const said = await STAGES[stage](world, { times: Number(times), random: randomFrom(seed) });
  process.stdout.write(`${said}\n`);
} catch (error) {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
}
