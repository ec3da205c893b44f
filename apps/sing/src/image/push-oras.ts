import { DomainError } from '#libs/core';
import type { Surroundings } from '#libs/cli';
import type { RegistryAccess } from '../registry/flags.js';
import { withRegistry } from '../registry/open.js';
import { imageArchitecture } from './architecture.js';
import { PhaseBars, tellingRetries } from './transfers.js';

/** Sends an image to a registry as it is: "oras:// plain upload" (runtime contract §1.6). */
export async function pushToRegistry(
  place: Surroundings,
  push: {
    /** As the person named it, and the same as an absolute path. */
    readonly file: string;
    readonly path: string;
    readonly reference: string;
    readonly description: string | undefined;
    readonly access: RegistryAccess;
    readonly json: boolean;
  },
): Promise<void> {
  const { log, out, progress, signal } = place;
  const { parseRegistryReference, pushSif } = await import('#libs/oci');
  const reference = parseRegistryReference(push.reference);
  const { by } = reference;
  if ('digest' in by)
    throw new DomainError('bad_request', 'A push needs a tag: the hash is known when the image is there', {
      reason: 'invalid_reference',
    });
  const arch = await imageArchitecture(push.path);
  const bars = new PhaseBars(progress, {
    hashing: 'Reading',
    sending: 'Uploading',
    storing: 'The registry checks',
  });
  const { access, description } = push;
  const pushed = await withRegistry(place, reference, { access, actions: 'pull,push' }, async (registry) => {
    try {
      return await pushSif(registry, {
        file: push.path,
        architecture: arch,
        description,
        onProgress: bars.update,
        onRetry: tellingRetries(log),
        signal,
      });
    } finally {
      bars.stop();
    }
  });
  if (!pushed.uploaded) log.info('The registry had this file already; only the tag was set.');
  log.info(`Pushed ${push.file} to ${push.reference}`);
  if (push.json) {
    const { digest: hash, size, uploaded, manifest } = pushed;
    out.json({
      images: [
        { reference: push.reference, path: push.path, hash, size, arch, tags: [by.tag], uploaded, manifest },
      ],
    });
  }
}
