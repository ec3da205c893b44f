// The stage `full` on its small disk: node full-disk.mjs FOLDER TIMES
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fillDisk } from './ballast.mjs';
import { LibraryCalls, newImage } from './library.mjs';
import { libraryServer } from './server.mjs';
import { untilNothing } from './until.mjs';

const SIZE = 12 * 1024 * 1024;
/** After each round: enough for plenty of room. */
const DELETED = 8;
const [folder, times] = process.argv.slice(2);
const ballast = join(folder, 'ballast');
const reserve = join(folder, 'home/reserve');
const server = await libraryServer(folder);
await server.start();
const calls = new LibraryCalls(server);
try {
  const container = await calls.container('full');
  let kept = [];
  let pushes = 0;
  let refused = 0;
  for (let round = 0; round < Number(times); round += 1) {
    for (;;) {
      const image = newImage(SIZE);
      const tag = `v${(pushes += 1)}`;
      try {
        await calls.push(container, image, tag);
        kept.push({ tag, bytes: image.bytes });
      } catch (error) {
        refused += 1;
        if (!error.message.includes(' 507 ')) throw error;
        break;
      }
    }
    fillDisk(folder, ballast);
    if (round % 2 === 0) {
      await server.kill();
      await server.start();
    }
    // Deleting works within moments, and what is not deleted is whole.
    const [first, ...rest] = kept;
    await untilNothing('refusal to delete', async () => {
      const path = `/v1/images/admin/soak/full:${first.tag}?arch=amd64`;
      return calls.send('DELETE', path).then(
        () => '',
        (error) => (/ 50[37] /.test(error.message) ? error.message : Promise.reject(error)),
      );
    });
    kept = rest;
    for (const { tag, bytes } of kept)
      if (!(await calls.send('GET', `/v1/imagefile/admin/soak/full:${tag}?arch=amd64`)).equals(bytes))
        throw new Error(`Expected the bytes that were pushed as ${tag}, got others`);
    await untilNothing('temporary files', server.temporaries);
    rmSync(ballast);
    // Some order is made before the disk is full again: the server then keeps space back for the next time.
    for (const { tag } of kept.splice(0, DELETED))
      await calls.send('DELETE', `/v1/images/admin/soak/full:${tag}?arch=amd64`);
    await untilNothing('lack of a reserve', () => (existsSync(reserve) ? '' : 'no reserve'));
    await calls.requireNothingWrong();
  }
  process.stdout.write(
    `${times} times full, ${pushes - refused} pushes kept or deleted, ${refused} refused\n`,
  );
} finally {
  calls.close();
  await server.kill();
}
