export { rootEncryption } from './encryption.js';
export { readExactly, SliceAccess, type RandomAccess, type ReadAccess } from './access/access.js';
export { FileAccess, type FileMode } from './access/file.js';
export { MemoryAccess } from './access/memory.js';
export { addObject } from './add.js';
export { assembleImage, type ImageParts } from './assemble.js';
export type { ChangeContext } from './change.js';
export * from './codes.js';
export { createSif, newImageId, type CreateOptions } from './create.js';
export { deleteObject, type DeleteOptions } from './delete.js';
export { groupOf, linkOf, nameOf, type Descriptor, type Link } from './descriptor.js';
export { escapeText } from './escape.js';
export {
  entityOf,
  isPartitionOfType,
  messageOf,
  ociDigestOf,
  ociDigestText,
  partitionOf,
  sbomOf,
  signatureOf,
  type Extra,
  type Partition,
  type SignatureExtra,
} from './extra.js';
export { declaredEnd, headerArchitecture, imageId, withoutPadding, type SifHeader } from './header.js';
export type { ObjectInput } from './input.js';
export { HEADER_SIZE, LAUNCH_SCRIPT, MAGIC, VERSION, ZERO_TIME } from './layout.js';
export { SIF_LIMITS } from './limits.js';
export { chunksOf, digestOf, objectProblem, openObject, readObject } from './object.js';
export { setPrimary } from './primary.js';
export { isDeterministic, readSif, type SifImage } from './read.js';
export {
  groupsOf,
  inspectMetadata,
  objectById,
  objectsInGroup,
  objectsLinkedTo,
  objectsOfType,
  openOciObject,
  openPartition,
  rootPartition,
  type RootPartition,
} from './select.js';
export { headerText, infoText, listText, typeText } from './text.js';
export { unusedBytes, type UnusedBytes } from './unused.js';
export { updateSifFile, withSifFile } from './update.js';
export { imageWarnings } from './warnings.js';
