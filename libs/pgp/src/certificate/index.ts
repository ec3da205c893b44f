export { joinArmor, readArmor, writeArmor } from './armor.js';
export { mergeCertificates, writeCertificate } from './canonical.js';
export { cleanCertificate, readCleanCertificate } from './clean.js';
export type { Certificate } from './components.js';
export { hashOfUserId, onlyRevoked, withoutUserIds } from './reduce.js';
export { type RawCertificate, splitCertificates } from './split.js';
export { type CertificateSummary, type SubkeySummary, summarise, type UserIdSummary } from './summary.js';
export { type Work, workForUpload } from './verifier.js';
