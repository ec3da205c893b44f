// Security drills: what somebody would try who has stolen something, or stands in between, against instances of this program's own making.
// Each drill tries it and fails with the first thing that works. docs/guide/drills.md says what each of them proves.
//
//   npm run build && npm run build:cli && npm run drills [-- --only NAME,NAME]
//
// --only names drills; --checkout runs the programs of another folder that has dist/. One line for each drill; ends with 1 when one of them
// failed. Everything happens in a folder of its own, with processes of its own.
import { parseArgs } from 'node:util';
import { addresses } from './drills/addresses.mjs';
import { feed } from './drills/feed.mjs';
import { headers } from './drills/headers.mjs';
import { jobs } from './drills/jobs.mjs';
import { retire } from './drills/retire.mjs';
import { secrets } from './drills/secrets.mjs';
import { CHECKOUT } from './drills/world.mjs';
import { temporaryFolder } from './soak/temporary.mjs';

const DRILLS = { secrets, jobs, feed, headers, addresses, retire };

const { values } = parseArgs({
  options: { only: { type: 'string' }, checkout: { type: 'string', default: CHECKOUT } },
});
const chosen = values.only?.split(',') ?? Object.keys(DRILLS);
const unknown = chosen.find((name) => !Object.hasOwn(DRILLS, name));
if (unknown !== undefined)
  throw new Error(`Expected drills out of ${Object.keys(DRILLS).join(', ')}, got ${unknown}`);

for (const name of chosen) {
  const folder = await temporaryFolder('drill');
  const begin = performance.now();
  const seconds = () => `${((performance.now() - begin) / 1000).toFixed(0)} s`;
  try {
    const said = await DRILLS[name]({ folder: folder.path, checkout: values.checkout });
    process.stdout.write(`${name}: ${said} · ${seconds()} · ok\n`);
    await folder.remove();
  } catch (error) {
    process.stdout.write(
      `${name}: FAILED after ${seconds()}: ${error.stack}\n  its state is in ${folder.path}\n`,
    );
    process.exitCode = 1;
  }
}
