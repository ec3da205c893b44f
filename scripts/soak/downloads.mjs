import { once } from 'node:events';
import { LibraryCalls, newImage, repeat } from './library.mjs';
import { libraryServer } from './server.mjs';

/** More than the buffers on the way take: the server has to notice that nobody takes the rest. */
const SIZE = 24 * 1024 * 1024;
const WIDTH = 6;

/** Clients that go away in the middle of a download, whole or of a range. */
export async function cutDownloads({ times, folder, random }) {
  const server = await libraryServer(folder);
  await server.start();
  const calls = new LibraryCalls(server);
  try {
    const image = newImage(SIZE);
    await calls.push(await calls.container('downloads'), image, 'v1');
    const path = '/v1/imagefile/admin/soak/downloads:v1?arch=amd64';
    const before = server.descriptors().length;
    await repeat(times, WIDTH, async () => {
      const range = random.oneOf([{}, { range: `bytes=${random.between(0, SIZE / 2)}-` }]);
      const sending = calls.open('GET', path, { headers: range });
      sending.end();
      const [answer] = await once(sending, 'response');
      answer.on('error', () => undefined);
      // Mostly early, sometimes late.
      let left = random.between(1, random.oneOf([64 * 1024, SIZE / 2]));
      for await (const chunk of answer.iterator({ destroyOnReturn: true })) {
        left -= chunk.length;
        if (left <= 0) break;
      }
      sending.destroy();
    });
    await server.requireClean(before);
    const got = await calls.send('GET', path);
    if (!got.equals(image.bytes)) throw new Error('Expected the bytes that were pushed, got others');
    const after = server.descriptors().length;
    await server.stop();
    return `${times} cut, the whole pulled then · descriptors ${before} → ${after}`;
  } finally {
    calls.close();
    await server.kill();
  }
}
