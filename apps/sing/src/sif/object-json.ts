import type { Descriptor } from '#libs/sif';

type Sif = typeof import('#libs/sif');

/** An object for programs: what its descriptor says, with the words of listings. Nothing of it is checked. */
export function objectJson(sif: Sif, descriptor: Descriptor): Record<string, unknown> {
  const link = sif.linkOf(descriptor);
  const group = sif.groupOf(descriptor);
  return {
    id: descriptor.id,
    type: sif.dataTypeName(descriptor.type),
    group: group === 0 ? null : group,
    link: link === undefined ? null : { [link.kind]: link.id },
    offset: Number(descriptor.offset),
    size: Number(descriptor.size),
    created: timeText(sif, descriptor.createdAt),
    modified: timeText(sif, descriptor.modifiedAt),
    name: sif.nameOf(descriptor),
    ...details(sif, descriptor),
  };
}

function details(sif: Sif, descriptor: Descriptor): Record<string, unknown> {
  switch (descriptor.type) {
    case sif.DataType.partition: {
      const { fileSystem, type, architecture } = sif.partitionOf(descriptor);
      return {
        fileSystem: sif.fileSystemName(fileSystem),
        partitionType: type === sif.PartitionType.primary ? 'Primary' : sif.partitionTypeName(type),
        architecture,
        encrypted: sif.isEncrypted(fileSystem),
      };
    }
    case sif.DataType.signature:
      return {
        hashType: sif.hashTypeName(descriptor.extra.readInt32LE(0)) ?? null,
        entity: sif.entityOf(descriptor).toString('hex').toUpperCase(),
      };
    case sif.DataType.message: {
      const { format, message } = sif.messageOf(descriptor);
      return { format: sif.messageFormatName(format), message: sif.messageTypeName(message) };
    }
    case sif.DataType.sbom:
      return { format: sif.sbomFormatName(sif.sbomOf(descriptor)) };
    case sif.DataType.ociBlob:
    case sif.DataType.ociRootIndex:
      return { digest: sif.ociDigestText(descriptor) };
    default:
      return {};
  }
}

/** A time for programs; null where the image has none, or one that no calendar knows. */
export function timeText(sif: Sif, seconds: bigint): string | null {
  const date = new Date(Number(seconds) * 1000);
  return seconds === sif.ZERO_TIME || Number.isNaN(date.getTime()) ? null : date.toISOString();
}
