import { parseLibraryReference } from '#libs/core';
import { transportOf } from './transport.js';

/**
 * The name of the file that an image is pulled to when nobody says: `name_tag.sif` (runtime contract §1.6), for an address its own last word.
 * @throws DomainError for a reference that is none
 */
export async function fileNameOf(reference: string): Promise<string> {
  switch (transportOf(reference)) {
    case 'library': {
      const { names, tags } = parseLibraryReference(reference);
      return named(names.at(-1), tags[0] ?? 'latest');
    }
    case 'oras': {
      const { parseRegistryReference } = await import('#libs/oci');
      const { name, by } = parseRegistryReference(reference);
      return named(name.split('/').at(-1), 'digest' in by ? by.digest.replace(':', '.') : by.tag);
    }
    case 'web': {
      const last = URL.parse(reference)?.pathname.split('/').at(-1) ?? '';
      // What a server calls its files is no reason to write outside of the folder, or to hide a file.
      return /^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}$/.test(last) ? last : 'image.sif';
    }
  }
}

/** A reference for messages: what stands behind the path of an address may be a key, and messages end up in logs. */
export function shownReference(reference: string): string {
  return /^https?:/.test(reference) ? reference.replace(/[?#].*$/s, '') : reference;
}

const named = (name: string | undefined, tag: string): string => `${name ?? 'image'}_${tag}.sif`;
