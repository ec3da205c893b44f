import { type KeyFacts, readKey } from '../packets/key.js';
import { readSignature, SignatureType, writeSignature } from '../packets/signature.js';
import { canonical } from './canonical.js';
import type { Certificate, Proven } from './components.js';
import { type Draft, drafted, keepBetter } from './draft.js';
import type { PlacedSignature, RawCertificate } from './split.js';

/**
 * Takes a certificate apart that this program has cleaned and written before: nothing is verified again, and every signature stands
 * behind what it is over.
 * @throws DomainError when it is none
 */
export async function readCleanCertificate(raw: RawCertificate): Promise<Certificate> {
  const facts = readKey(raw.primary.body);
  const [revocations, direct] = [new Map<string, Proven>(), new Map<string, Proven>()];
  const drafts = new Map<unknown, Draft>();
  for (const packet of raw.components) {
    const draft = drafted(packet, facts);
    if (draft !== undefined) drafts.set(packet, draft);
  }
  for (const placed of raw.signatures) {
    const draft = drafts.get(placed.behind);
    if (draft !== undefined) takeBack(draft, placed, facts);
    else keep(placed, { [SignatureType.keyRevocation]: revocations, [SignatureType.directKey]: direct });
  }
  const all = [...drafts.values()];
  return canonical({
    primary: raw.primary,
    facts,
    revocations: [...revocations.values()],
    direct: [...direct.values()],
    userIds: all.flatMap((draft) => draft.asUserId() ?? []),
    subkeys: all.flatMap((draft) => draft.asSubkey() ?? []),
  });
}

function keep({ body }: PlacedSignature, lists: Readonly<Record<number, Map<string, Proven>>>): void {
  const facts = readSignature(body);
  const list = lists[facts.type];
  if (list !== undefined) keepBetter(list, { facts, body });
}

function takeBack(draft: Draft, { body }: PlacedSignature, signer: KeyFacts): void {
  const facts = readSignature(body);
  const [word] = facts.embedded.unhashed;
  if (word !== undefined) draft.offerBack({ facts: readSignature(word), body: word });
  const list = draft.listFor(facts.type);
  if (list !== undefined)
    keepBetter(list, { facts, body: word === undefined ? body : writeSignature(facts, signer) });
}
