// The stage `full-database` on its small disk: node full-database.mjs DISK TIMES STATE
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fillDisk } from './ballast.mjs';
import { LibraryCalls, newImage } from './library.mjs';
import { serverOf } from './server.mjs';
import { untilNothing } from './until.mjs';

const SIZE = 64 * 1024;
const IMAGES = 20;
const [disk, times, state] = process.argv.slice(2);
const ballast = join(disk, 'ballast');
const reserve = join(disk, 'library/reserve');
const server = await serverOf(state, 'auth,library', {
  SCS_LIBRARY_DATABASE_URL: `sqlite:${join(disk, 'library')}`,
});
await server.start();
const calls = new LibraryCalls(server);
const place = 'admin/soak/database';
try {
  for (let round = 0; round < Number(times); round += 1) {
    const container = await calls.container('database');
    const images = Array.from({ length: IMAGES }, () => newImage(SIZE));
    for (const [index, image] of images.entries()) await calls.push(container, image, `v${index}`);
    await untilNothing('lack of a reserve', () => (existsSync(reserve) ? '' : 'no reserve'));
    fillDisk(disk, ballast);
    if (round % 2 === 1) {
      await server.kill();
      await server.start();
    }
    for (const [index, { bytes }] of images.entries()) {
      const address = `${place}:v${index}?arch=amd64`;
      if (!(await calls.send('GET', `/v1/imagefile/${address}`)).equals(bytes))
        throw new Error(`Expected the bytes that were pushed as v${index}, got others`);
      await untilNothing('refusal to delete', async () =>
        calls.send('DELETE', `/v1/images/${address}`).then(
          () => '',
          (error) => (/ 50[37] /.test(error.message) ? error.message : Promise.reject(error)),
        ),
      );
    }
    await untilNothing('reserve that is kept', () => (existsSync(reserve) ? 'a reserve' : ''));
    rmSync(ballast);
    await calls.requireNothingWrong();
  }
  process.stdout.write(`${times} times full, ${Number(times) * IMAGES} images read and deleted\n`);
} finally {
  calls.close();
  await server.kill();
}
