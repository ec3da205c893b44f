export * from './certificate/index.js';
export { PACKET_LIMITS } from './packets/limits.js';
export { type Packet, readPackets } from './packets/reader.js';
export { decodeArmors, encodeArmor, type ArmorBlock, type ArmorType } from './armor.js';
export { clearSign, type ClearSignOptions } from './clearSign.js';
export { looksClearSigned, splitClearSigned, type ClearSignedParts } from './clearText.js';
export { certificatesIn, publicKeyFingerprints } from './framing.js';
export { findKey, matchesKey, parseKeyQuery, type KeyQuery } from './find.js';
export {
  changePassphrase,
  generateKey,
  isLocked,
  unlockKey,
  type KeyAlgorithm,
  type KeyOptions,
} from './generate.js';
export {
  armorKey,
  describeKey,
  fingerprintOf,
  isSecret,
  primaryUserId,
  readKey,
  readKeys,
  type KeyInfo,
  type PgpKey,
  type SubkeyInfo,
} from './key.js';
export { KeyRing, type ImportOutcome, type RingKind } from './keyring/keyRing.js';
export { RingFile, type Warn } from './keyring/ringFile.js';
export { PGP_LIMITS } from './limits.js';
export { publicPart } from './publicPart.js';
export { verifyClearSigned, type FindKeys, type Signer, type VerifiedMessage } from './verifyClearSigned.js';
export { type LooseRevocation, readUpload, revocationFor, type Upload } from './upload/readUpload.js';
