import { type KeyFacts, readKey } from '../packets/key.js';
import {
  mayBeBy,
  readSignature,
  type SignatureFacts,
  SignatureType,
  writeSignature,
} from '../packets/signature.js';
import { attempt } from './attempt.js';
import { canonical } from './canonical.js';
import type { Certificate, Proven } from './components.js';
import { type Draft, drafted, keepBetter } from './draft.js';
import type { PlacedSignature, RawCertificate } from './split.js';

/**
 * Takes a certificate apart that this program has cleaned and written before: nothing is verified again, and every signature stands
 * behind what it is over. What would not be taken any more, because rules have become stricter, is left out.
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
    if (draft !== undefined) keepOf(draft, placed, facts);
    else
      keep(placed, facts, { [SignatureType.keyRevocation]: revocations, [SignatureType.directKey]: direct });
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

function keep(
  { body }: PlacedSignature,
  primary: KeyFacts,
  lists: Readonly<Record<number, Map<string, Proven>>>,
): void {
  const facts = attempt(() => readSignature(body));
  if (facts === undefined) return;
  const list = lists[facts.type];
  if (list !== undefined) keepBetter(list, { ...facts, issuer: issuerOf(facts, primary), body });
}

/** Who made it: the primary key, or one of its designated revokers. */
function issuerOf(facts: SignatureFacts, primary: KeyFacts): string {
  return mayBeBy(facts, primary) ? primary.keyId : (facts.issuers.names[0] ?? '').slice(-16);
}

function keepOf(draft: Draft, { body }: PlacedSignature, signer: KeyFacts): void {
  const facts = attempt(() => readSignature(body));
  if (facts === undefined) return;
  const [word] = facts.embedded.unhashed;
  const back = word && attempt(() => readSignature(word));
  if (word !== undefined && back !== undefined && draft.facts !== undefined)
    draft.offerBack({ ...back, issuer: draft.facts.keyId, body: word });
  const list = draft.listFor(facts.type);
  const own = word === undefined ? body : writeSignature(facts, signer);
  if (list !== undefined) keepBetter(list, { ...facts, issuer: signer.keyId, body: own });
}
