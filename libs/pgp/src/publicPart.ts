import { packetsOf } from './framing.js';
import { isSecret, readKey, type PgpKey } from './key.js';
import { writePacket } from './packets/reader.js';
import { Tag } from './packets/tags.js';

/**
 * The public part of a secret key. User ids and signatures keep their bytes; only the key packets are written anew,
 * because they lose their secret part.
 */
export async function publicPart(key: PgpKey): Promise<PgpKey> {
  if (!isSecret(key)) return key;
  const open = key.key.toPublic();
  const packets = [...packetsOf(key.bytes)];
  const bodies = [open.keyPacket, ...open.subkeys.map(({ keyPacket }) => keyPacket)].map((packet) =>
    packet.write(),
  );
  const secrets = packets.filter(({ tag }) => tag === Tag.secretKey || tag === Tag.secretSubkey);
  // A subkey that the library could not read is not in its list: then its own writing is the safe one.
  if (secrets.length !== bodies.length) return readKey(open.write());
  let next = 0;
  const parts = packets.map((packet) => {
    if (!secrets.includes(packet)) return packet.bytes;
    const body = bodies[next] ?? new Uint8Array();
    next += 1;
    return writePacket({ tag: packet.tag === Tag.secretKey ? Tag.publicKey : Tag.publicSubkey, body });
  });
  return readKey(Buffer.concat(parts));
}
