import type { Facts } from '../facts.js';
import { configFolder } from '../instance/place.js';
import { settingOf } from '../options/environmentFlags.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import { absolutePath } from '../paths.js';
import type { ImageBackend } from '../plan.js';
import type { Mode } from './mode.js';

const MIB = 1024 * 1024;

/**
 * The unpacked images that starts of this user share, beside the images that were fetched (runtime contract §1.7), or null where nothing is kept: by configuration, with
 * --disable-cache, as root, and with --fakeroot, whose root could change what the next start finds.
 */
export function unpackedCache(
  facts: Facts,
  mode: Mode,
  { useCache }: Pick<LaunchOptions, 'useCache'>,
): ImageBackend | null {
  const { configuration, environment, workingDirectory } = facts;
  if (mode.kind !== 'user' || !useCache || configuration.unpackedCacheSize === 0) return null;
  const given = settingOf(environment, 'CACHEDIR');
  const parent = given === null ? configFolder(facts) : absolutePath(workingDirectory, given.value);
  return {
    kind: 'unpacked',
    directory: `${parent === '/' ? '' : parent}/cache/rootfs`,
    sizeLimit: configuration.unpackedCacheSize * MIB,
  };
}
