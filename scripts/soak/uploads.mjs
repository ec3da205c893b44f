import { LibraryCalls, newImage, repeat } from './library.mjs';
import { libraryServer } from './server.mjs';

const SIZE = 3 * 1024 * 1024;
const WIDTH = 4;

/** Clients that go away in the middle of an upload: raw, to a signed address, and with a part. Then the same push works. */
export async function cutUploads({ times, folder, random }) {
  const server = await libraryServer(folder);
  await server.start();
  const calls = new LibraryCalls(server);
  try {
    const container = await calls.container('uploads');
    // Each lane pushes a file of its own: the library takes so many uploads of one image at a time.
    const images = await Promise.all(
      Array.from({ length: WIDTH }, async () => {
        const image = newImage(SIZE);
        return { ...image, id: await calls.announce(container, image.hash) };
      }),
    );
    const before = server.descriptors().length;
    const address = {
      raw: ({ id }) => `/v1/imagefile/${id}`,
      signed: async ({ id }) =>
        (await calls.send('POST', `/v2/imagefile/${id}`, { filesize: SIZE })).uploadURL,
      part: async ({ id }) => {
        const path = `/v2/imagefile/${id}/_multipart`;
        const { uploadID } = await calls.send('POST', path, { filesize: SIZE });
        return (await calls.send('PUT', path, { uploadID, partNumber: 1, sha256sum: '' })).presignedURL;
      },
    };
    await repeat(times, WIDTH, async (round) => {
      const image = images[round % WIDTH];
      const way = random.oneOf(Object.keys(address));
      const sending = calls.open(way === 'raw' ? 'POST' : 'PUT', await address[way](image), {
        headers: {
          'content-length': String(SIZE),
          ...(way === 'raw' ? { authorization: `Bearer ${server.token}` } : {}),
        },
      });
      const closed = new Promise((resolve) => sending.once('close', resolve));
      const sent = image.bytes.subarray(0, random.between(1, SIZE - 1));
      await Promise.race([closed, new Promise((resolve) => sending.write(sent, resolve))]);
      sending.destroy();
      await closed;
    });
    await server.requireClean(before);
    for (const [index, image] of images.entries()) {
      await calls.push(container, image, `v${index}`);
      const got = await calls.send('GET', `/v1/imagefile/admin/soak/uploads:v${index}?arch=amd64`);
      if (!got.equals(image.bytes)) throw new Error('Expected the bytes that were pushed, got others');
    }
    await server.requireClean(before);
    await calls.requireNothingWrong();
    const after = server.descriptors().length;
    await server.stop();
    return `${times} cut, the same files pushed then · descriptors ${before} → ${after}`;
  } finally {
    calls.close();
    await server.kill();
  }
}
