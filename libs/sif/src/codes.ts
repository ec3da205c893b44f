/** The numbers of the format and their names (SIF contract §1.5–1.7). Names are those that listings print. */

/** Architecture codes: two digits in the header and in the extra field of partitions. Names are Go's. */
const ARCHITECTURES = new Map([
  ['01', '386'],
  ['02', 'amd64'],
  ['03', 'arm'],
  ['04', 'arm64'],
  ['05', 'ppc64'],
  ['06', 'ppc64le'],
  ['07', 'mips'],
  ['08', 'mipsle'],
  ['09', 'mips64'],
  ['10', 'mips64le'],
  ['11', 's390x'],
  ['12', 'riscv64'],
  ['13', 'loong64'],
]);
const ARCHITECTURE_CODES = new Map([...ARCHITECTURES].map(([code, name]) => [name, code]));

/** What the header holds while the image has no primary partition. */
export const NO_ARCHITECTURE = '00';

/** The name of an architecture code, `unknown` for everything that is no code. */
export function architectureName(code: string): string {
  return ARCHITECTURES.get(code) ?? 'unknown';
}

/** The two-digit code of an architecture, or undefined when the format has none for it. */
export function architectureCode(name: string): string | undefined {
  return ARCHITECTURE_CODES.get(name);
}

export const DataType = {
  definition: 0x4001,
  environment: 0x4002,
  labels: 0x4003,
  partition: 0x4004,
  signature: 0x4005,
  json: 0x4006,
  generic: 0x4007,
  message: 0x4008,
  sbom: 0x4009,
  ociRootIndex: 0x400a,
  ociBlob: 0x400b,
} as const;

const DATA_TYPE_NAMES = new Map<number, string>([
  [DataType.definition, 'Def.FILE'],
  [DataType.environment, 'Env.Vars'],
  [DataType.labels, 'JSON.Labels'],
  [DataType.partition, 'FS'],
  [DataType.signature, 'Signature'],
  [DataType.json, 'JSON.Generic'],
  [DataType.generic, 'Generic/Raw'],
  [DataType.message, 'Cryptographic Message'],
  [DataType.sbom, 'SBOM'],
  [DataType.ociRootIndex, 'OCI.RootIndex'],
  [DataType.ociBlob, 'OCI.Blob'],
]);

export const FileSystem = {
  squashfs: 1,
  ext3: 2,
  archive: 3,
  raw: 4,
  encryptedSquashfs: 5,
  gocryptfsSquashfs: 6,
} as const;

/** Whether a file system can only be read with a passphrase or a key (SIF contract §3). */
export const isEncrypted = (fileSystem: number): boolean =>
  fileSystem === FileSystem.encryptedSquashfs || fileSystem === FileSystem.gocryptfsSquashfs;

const FILE_SYSTEM_NAMES = new Map<number, string>([
  [FileSystem.squashfs, 'Squashfs'],
  [FileSystem.ext3, 'Ext3'],
  [FileSystem.archive, 'Archive'],
  [FileSystem.raw, 'Raw'],
  [FileSystem.encryptedSquashfs, 'Encrypted squashfs'],
  [FileSystem.gocryptfsSquashfs, 'Gocryptfs squashfs'],
]);

export const PartitionType = { system: 1, primary: 2, data: 3, overlay: 4 } as const;

const PARTITION_TYPE_NAMES = new Map<number, string>([
  [PartitionType.system, 'System'],
  [PartitionType.primary, '*System'],
  [PartitionType.data, 'Data'],
  [PartitionType.overlay, 'Overlay'],
]);

export const HashType = { sha256: 1, sha384: 2, sha512: 3, blake2s256: 4, blake2b256: 5 } as const;

const HASH_TYPE_NAMES = new Map<number, string>([
  [HashType.sha256, 'SHA-256'],
  [HashType.sha384, 'SHA-384'],
  [HashType.sha512, 'SHA-512'],
  [HashType.blake2s256, 'BLAKE2s-256'],
  [HashType.blake2b256, 'BLAKE2b-256'],
]);

export const MessageFormat = { openpgp: 1, pem: 2 } as const;
export const MessageType = { clearSignature: 0x100, rsaOaep: 0x200 } as const;

const MESSAGE_FORMAT_NAMES = new Map<number, string>([
  [MessageFormat.openpgp, 'OpenPGP'],
  [MessageFormat.pem, 'PEM'],
]);
const MESSAGE_TYPE_NAMES = new Map<number, string>([
  [MessageType.clearSignature, 'Clear Signature'],
  [MessageType.rsaOaep, 'RSA-OAEP'],
]);

/** Names of the bill-of-materials formats; their numbers count from 1. The last one only newer programs know. */
export const SBOM_FORMATS = [
  'cyclonedx-json',
  'cyclonedx-xml',
  'github-json',
  'spdx-json',
  'spdx-rdf',
  'spdx-tag-value',
  'spdx-yaml',
  'syft-json',
  'trivy-json',
] as const;

/** The name of a data type in listings. */
export const dataTypeName = (type: number): string => DATA_TYPE_NAMES.get(type) ?? 'Unknown';
/** The name of a partition's file system in listings. */
export const fileSystemName = (code: number): string => FILE_SYSTEM_NAMES.get(code) ?? 'Unknown';
/** The name of a partition type in listings; `*` marks the primary. */
export const partitionTypeName = (code: number): string => PARTITION_TYPE_NAMES.get(code) ?? 'Unknown';
/** The name of a hash type, or undefined: a signature with another hash cannot be used (§1.7). */
export const hashTypeName = (code: number): string | undefined => HASH_TYPE_NAMES.get(code);
/** The name of a cryptographic message's format in listings. */
export const messageFormatName = (code: number): string => MESSAGE_FORMAT_NAMES.get(code) ?? 'Unknown';
/** The name of a cryptographic message's type in listings. */
export const messageTypeName = (code: number): string => MESSAGE_TYPE_NAMES.get(code) ?? 'Unknown';
/** The name of a bill of materials' format in listings. */
export const sbomFormatName = (code: number): string => SBOM_FORMATS[code - 1] ?? 'unknown';
