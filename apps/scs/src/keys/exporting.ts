import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import type { KeysClient } from '#libs/client';
import { placeFile } from '#libs/core';
import { decodeArmors } from '#libs/pgp';
import { withKeys } from './client.js';

interface Flags {
  readonly armor: boolean;
  readonly force: boolean;
  readonly json: boolean;
}

/** Writes all keys. @param target a file, a folder that is there, or `-` */
export async function exportKeys(place: Surroundings, target: string, flags: Flags): Promise<void> {
  const path = resolve(place.cwd, target);
  const folder = target !== '-' && (await isFolder(path));
  const bar = place.progress.bytes('Exporting');
  let [keys, bytes] = [0, 0];
  const count = (written: number): void => {
    keys += 1;
    bytes += written;
    bar.update(bytes);
  };
  try {
    await withKeys(place, async (client) => {
      if (target === '-') await toOutput(place, client, flags, count);
      else if (folder) await toFolder(path, client, flags, count);
      else
        await placeFile(path, { overwrite: flags.force, mode: 0o644 }, async (file) => {
          for await (const { armor } of client.export()) {
            const content = contentOf(armor, flags.armor);
            await file.write(content);
            count(content.length);
          }
        });
    });
  } finally {
    bar.stop();
  }
  place.log.info(`${keys} keys exported`);
  if (flags.json && target !== '-') place.out.json({ exported: { keys, bytes, path } });
}

/** For programs one object, written as it comes. */
async function toOutput(
  { out }: Surroundings,
  client: KeysClient,
  { armor, json }: Flags,
  count: (bytes: number) => void,
): Promise<void> {
  let first = true;
  for await (const key of client.export()) {
    const object = `${first ? '{"keys":[\n' : ',\n'}${JSON.stringify({ ...key, fingerprint: key.fingerprint.toUpperCase() })}`;
    const content = json ? Buffer.from(object) : contentOf(key.armor, armor);
    await out.bytes(content);
    count(content.length);
    first = false;
  }
  if (json) out.text(first ? '{"keys":[]}\n' : '\n]}\n');
}

async function toFolder(
  folder: string,
  client: KeysClient,
  { armor, force }: Flags,
  count: (bytes: number) => void,
): Promise<void> {
  for await (const key of client.export()) {
    const content = contentOf(key.armor, armor);
    const name = `${key.fingerprint.toUpperCase()}.${armor ? 'asc' : 'gpg'}`;
    await placeFile(join(folder, name), { overwrite: force, mode: 0o644 }, (file) => file.writeFile(content));
    count(content.length);
  }
}

const contentOf = (armor: string, asText: boolean): Buffer =>
  asText ? Buffer.from(armor) : Buffer.concat(decodeArmors(armor).map(({ bytes }) => bytes));

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
