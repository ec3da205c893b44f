import type { Surroundings } from '#libs/cli';
import { goArchitecture } from '../session.js';
import { withRegistry } from '../registry/open.js';
import type { FetchRequest, FoundImage } from './found-image.js';
import { receiving } from './transfers.js';

/** Looks a SIF file up in a registry (runtime contract §1.7, `oras://`). */
export async function withOrasImage<T>(
  place: Surroundings,
  { reference, arch, access }: FetchRequest,
  work: (image: FoundImage) => Promise<T>,
): Promise<T> {
  const { findSif, parseRegistryReference, referenceText, sifDownload } = await import('#libs/oci');
  const parsed = parseRegistryReference(reference);
  return withRegistry(place, parsed, { access, actions: 'pull' }, async (registry) => {
    const { signal, log } = place;
    const name = referenceText(parsed);
    const found = await findSif(registry, { name, architecture: arch ?? goArchitecture(), signal });
    const { digest, size } = found;
    return work({
      type: 'oras',
      digest,
      size,
      arch: found.architecture,
      download: async (target) => {
        log.info(`Downloading ${name} (${digest.slice(0, 'sha256.'.length + 12)}…)`);
        const { downloadFile } = await import('#libs/client');
        await receiving(place, size, target, (options) =>
          downloadFile({ ...options, ...sifDownload(registry, found) }),
        );
      },
    });
  });
}
