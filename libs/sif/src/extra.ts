import { architectureCode, architectureName, DataType, hashTypeName } from './codes.js';
import type { Descriptor } from './descriptor.js';
import { sifError } from './fault.js';
import { EXTRA_SIZE } from './layout.js';

/** What the extra field of an object says, by its type (SIF contract §1.7). */
export type Extra =
  | { readonly kind: 'partition'; readonly partition: Partition }
  | { readonly kind: 'signature'; readonly signature: SignatureExtra }
  | { readonly kind: 'message'; readonly format: number; readonly message: number }
  | { readonly kind: 'sbom'; readonly format: number }
  | { readonly kind: 'digest'; readonly digest: string };

export interface Partition {
  /** A number of `FileSystem`; others are possible in files. */
  readonly fileSystem: number;
  /** A number of `PartitionType`; others are possible in files. */
  readonly type: number;
  /** Go's name of the architecture, or `unknown`. */
  readonly architecture: string;
}

export interface SignatureExtra {
  /** A number of `HashType`. */
  readonly hashType: number;
  /** The 20-byte fingerprint of a PGP signer; empty for other signatures. A hint until the signature is verified. */
  readonly entity: Buffer;
}

const FINGERPRINT_SIZE = 20;
const ENTITY_SIZE = 256;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** What the extra field of a partition says. @throws DomainError when the object is no partition */
export function partitionOf(descriptor: Descriptor): Partition {
  if (descriptor.type !== DataType.partition)
    throw sifError('sif_not_a_partition', `data object not a partition: object ${descriptor.id}`);
  return {
    fileSystem: descriptor.extra.readInt32LE(0),
    type: descriptor.extra.readInt32LE(4),
    architecture:
      descriptor.extra[10] === 0 ? architectureName(descriptor.extra.toString('latin1', 8, 10)) : 'unknown',
  };
}

/** True when an object is a partition of this type. */
export function isPartitionOfType(descriptor: Descriptor, type: number): boolean {
  return descriptor.type === DataType.partition && descriptor.extra.readInt32LE(4) === type;
}

/** What the extra field of a signature says. @throws DomainError when the hash type is unknown (§1.7) */
export function signatureOf(descriptor: Descriptor): SignatureExtra {
  const hashType = descriptor.extra.readInt32LE(0);
  if (hashTypeName(hashType) === undefined)
    throw sifError('sif_unsupported_hash', 'hash algorithm unsupported');
  return { hashType, entity: entityOf(descriptor) };
}

/** The fingerprint in a signature's extra field, empty when there is none; whatever its hash type is. */
export function entityOf(descriptor: Descriptor): Buffer {
  const entity = descriptor.extra.subarray(4, 4 + FINGERPRINT_SIZE);
  return entity.every((byte) => byte === 0) ? Buffer.alloc(0) : entity;
}

/** Format and type of a cryptographic message, as numbers. */
export function messageOf(descriptor: Descriptor): { format: number; message: number } {
  return { format: descriptor.extra.readInt32LE(0), message: descriptor.extra.readInt32LE(4) };
}

/** The format of a bill of materials, as number. */
export function sbomOf(descriptor: Descriptor): number {
  return descriptor.extra.readInt32LE(0);
}

/** What the extra field of an OCI object holds as digest, of whatever form. Escape it before it is printed. */
export function ociDigestText(descriptor: Descriptor): string {
  const end = descriptor.extra.indexOf(0);
  return descriptor.extra.toString('latin1', 0, end === -1 ? EXTRA_SIZE : end);
}

/** `sha256:<hex>` of an OCI object, as stored. @throws DomainError when it has another form */
export function ociDigestOf(descriptor: Descriptor): string {
  const text = ociDigestText(descriptor);
  if (!DIGEST.test(text))
    throw sifError('sif_invalid_digest', `Expected a sha256 digest for object ${descriptor.id}`);
  return text;
}

/** The 384 bytes of an extra field. @throws DomainError `unknown architecture: …`, or for an entity that does not fit */
export function encodeExtra(extra: Extra | undefined): Buffer {
  const bytes = Buffer.alloc(EXTRA_SIZE);
  if (extra !== undefined) fillExtra(bytes, extra);
  return bytes;
}

function fillExtra(bytes: Buffer, extra: Extra): void {
  switch (extra.kind) {
    case 'partition': {
      const { fileSystem, type, architecture } = extra.partition;
      const code = architectureCode(architecture);
      if (code === undefined)
        throw sifError('sif_unknown_architecture', `unknown architecture: ${architecture}`);
      bytes.writeInt32LE(fileSystem, 0);
      bytes.writeInt32LE(type, 4);
      bytes.write(code, 8, 'latin1');
      break;
    }
    case 'signature': {
      const { hashType, entity } = extra.signature;
      if (entity.length > ENTITY_SIZE) throw sifError('sif_extra_too_large', 'extra value too large');
      bytes.writeInt32LE(hashType, 0);
      entity.copy(bytes, 4);
      break;
    }
    case 'message':
      bytes.writeInt32LE(extra.format, 0);
      bytes.writeInt32LE(extra.message, 4);
      break;
    case 'sbom':
      bytes.writeInt32LE(extra.format, 0);
      break;
    case 'digest':
      bytes.write(extra.digest, 0, 'latin1');
      break;
  }
}
