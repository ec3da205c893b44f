import * as openpgp from 'openpgp';

const FIRST = Date.UTC(2024, 0, 1);
const SECOND = 1000;

/**
 * Certificates of RSA keys, as `key newpair` of the stock clients makes them: a user id and a subkey for encryption. All are
 * made of one pair with another time of creation, so with other fingerprints and signatures: to find primes takes seconds.
 * @param pair of node:crypto
 * @returns armored public keys
 */
export async function rsaKeys({ publicKey, privateKey }, count) {
  const [{ n, e }, { d, p, q, qi }] = [publicKey, privateKey].map((key) => key.export({ format: 'jwk' }));
  const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64url'));
  // OpenPGP wants p < q and the inverse of p, which is that of q where the two change places.
  const parts = { n: bytes(n), e: bytes(e), d: bytes(d), p: bytes(q), q: bytes(p), u: bytes(qi) };
  const packetOf = async (Packet, created) => {
    const packet = Object.assign(new Packet(created), {
      version: 4,
      algorithm: openpgp.enums.publicKey.rsaEncryptSign,
      publicParams: { n: parts.n, e: parts.e },
      privateParams: { d: parts.d, p: parts.p, q: parts.q, u: parts.u },
      isEncrypted: false,
      s2kUsage: 0,
    });
    await packet.computeFingerprintAndKeyID();
    return packet;
  };
  const keys = [];
  for (let index = 0; index < count; index += 1) {
    const created = new Date(FIRST + index * SECOND);
    const packets = new openpgp.PacketList();
    packets.push(await packetOf(openpgp.SecretKeyPacket, created));
    packets.push(openpgp.UserIDPacket.fromObject({ name: `RSA ${index}`, email: `rsa${index}@example.org` }));
    packets.push(await packetOf(openpgp.SecretSubkeyPacket, created));
    const bare = new openpgp.PrivateKey(packets);
    const { publicKey: armored } = await openpgp.reformatKey({
      privateKey: bare,
      userIDs: [{ name: `RSA ${index}`, email: `rsa${index}@example.org` }],
      date: created,
      format: 'armored',
      // Only this library puts one there.
      config: { nonDeterministicSignaturesViaNotation: false },
    });
    keys.push(armored);
  }
  return keys;
}
