import { HttpClient, LibraryClient, pullImage } from '#libs/client';
import { LibraryImage } from '#libs/contract';

// Pulls one image with one connection: node pull.script.ts BASE HASH SIZE DESTINATION. Says `there BYTES` with every step.
const [baseUrl = '', hash = '', size = '', destination = ''] = process.argv.slice(2);
const client = new LibraryClient(new HttpClient({ baseUrl, userAgent: 'test' }));
const image = LibraryImage.parse({ id: 'x', hash, size: Number(size), uploaded: true });
await pullImage(client, {
  image,
  path: 'e/c/n',
  destination,
  connections: 1,
  onProgress: ({ done }) => process.stdout.write(`there ${done}\n`),
});
await client.http.close();
process.stdout.write('done\n');
