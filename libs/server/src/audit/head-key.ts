import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { auditFolder } from '#libs/audit';
import { readSmallFile, removeLeftovers, writeOnce } from '../auth/secret-file.js';
import { newPrivateJwk, parsePrivateJwk } from '../auth/service-key.js';

/** The key that signs a service's heads and nothing else: `<data folder>/audit/head-key.json` (0600), made at the first start. */
export async function openHeadKey(dataFolder: string): Promise<Awaited<ReturnType<typeof newPrivateJwk>>> {
  const folder = auditFolder(dataFolder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await removeLeftovers(folder);
  const file = join(folder, 'head-key.json');
  const text =
    (await readSmallFile(file)) ?? (await writeOnce(file, `${JSON.stringify(await newPrivateJwk())}\n`));
  return parsePrivateJwk(text, file);
}
