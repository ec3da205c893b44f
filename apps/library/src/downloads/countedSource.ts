import type { ByteSource } from '#libs/server';

/** A source, with what is read of it told to `note`. It is told what to expect where the source wants to know it: an object store is asked once for all. */
export function countedSource(source: ByteSource, note: (bytes: number) => void): ByteSource {
  return {
    size: source.size,
    ...(source.expect && { expect: (start, end) => source.expect?.(start, end) }),
    read: async (target, position) => {
      const bytes = await source.read(target, position);
      note(bytes);
      return bytes;
    },
  };
}
