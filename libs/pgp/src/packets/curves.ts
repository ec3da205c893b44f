/** An elliptic curve as OpenPGP keys name it (RFC 9580 §9.2). */
export interface Curve {
  /** Object identifier, hex without its length octet. */
  readonly oid: string;
  readonly bits: number;
  /** How points are written: both coordinates after 0x04, or 32 octets after 0x40. */
  readonly form: 'coordinates' | 'native';
  /** What keys on it do. */
  readonly use: 'any' | 'sign' | 'encrypt';
  /** Octets of a coordinate. */
  readonly size: number;
}

const CURVES: readonly Curve[] = [
  // NIST P-256, P-384, P-521
  { oid: '2a8648ce3d030107', bits: 256, form: 'coordinates', use: 'any', size: 32 },
  { oid: '2b81040022', bits: 384, form: 'coordinates', use: 'any', size: 48 },
  { oid: '2b81040023', bits: 521, form: 'coordinates', use: 'any', size: 66 },
  // secp256k1
  { oid: '2b8104000a', bits: 256, form: 'coordinates', use: 'any', size: 32 },
  // Brainpool P256r1, P384r1, P512r1
  { oid: '2b2403030208010107', bits: 256, form: 'coordinates', use: 'any', size: 32 },
  { oid: '2b240303020801010b', bits: 384, form: 'coordinates', use: 'any', size: 48 },
  { oid: '2b240303020801010d', bits: 512, form: 'coordinates', use: 'any', size: 64 },
  // Ed25519 and Curve25519 as GnuPG named them first
  { oid: '2b06010401da470f01', bits: 256, form: 'native', use: 'sign', size: 32 },
  { oid: '2b060104019755010501', bits: 256, form: 'native', use: 'encrypt', size: 32 },
];

const BY_OID = new Map(CURVES.map((curve) => [curve.oid, curve]));

/** The curve with an object identifier; undefined for one that nothing here can verify or that stock clients do not know. */
export const curveOf = (oid: Uint8Array): Curve | undefined => BY_OID.get(Buffer.from(oid).toString('hex'));
