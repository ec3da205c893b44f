import { type Image, type ImageDocument } from '../images/documents.store.js';
import { imageTerms, sameTerm } from '../search/documents.store.js';
import { type ClaimDocument, claimId, type SignedImage, UNKNOWN } from '../signers/documents.store.js';
import type { Container } from '../tree/documents.store.js';
import type { Write } from '#libs/documents';
import type { Look } from './look.js';
import { containerPath } from './paths.js';
import type { CheckParts, Difference, Shown, Suspect, Walk, Walked } from './room.store.js';
import { byId } from './tables.store.js';

/**
 * Signed images with what is known of their signatures, and with the keys that lead to them, both ways. What the signatures are worth is
 * not decided here: whatever is put right is looked at in the background, as when an image arrives.
 */
export class SignersCheck {
  readonly #parts: CheckParts;

  constructor(parts: CheckParts) {
    this.#parts = parts;
  }

  get walks(): readonly Walk[] {
    return [
      { name: 'signed', part: (from) => this.#signed(from) },
      { name: 'signatures', part: (from) => this.#signatures(from) },
      { name: 'claims', part: (from) => this.#claims(from) },
    ];
  }

  async #signed(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.images.scan('byContainer', options);
    const signed = items.filter(({ value }) => isSigned(value) || signersOf(value).length > 0);
    const known = await byId(
      tables.signedImages,
      signed.map(({ id }) => id),
    );
    const claims = await byId(tables.claims, signed.flatMap(claimsOf).map(claimId));
    const isRight = (image: Image): boolean =>
      sameSigners(image, known.get(image.id)) &&
      claimsOf(image).every((claim) => sameClaim(claims.get(claimId(claim))?.value, claim));
    const suspects = signed
      .filter((image) => !isRight(image))
      .map(({ id }): Suspect => ({ name: id, look: (look) => this.#lookAtImage(id, look) }));
    return { suspects, next: cursor };
  }

  async #lookAtImage(id: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const image = await tables.images.get(id);
    look.sawDocument(image);
    if (image === undefined) return { differences: [] };
    const container = await tables.containers.get(image.value.container);
    look.sawDocument(container);
    const known = await tables.signedImages.get(id);
    look.sawDocument(known);
    const found = await byId(tables.claims, claimsOf(image).map(claimId));
    const missing = claimsOf(image).filter((claim) => {
      look.sawDocument(found.get(claimId(claim)));
      return !sameClaim(found.get(claimId(claim))?.value, claim);
    });
    const path = container && `${containerPath(container)}@${image.value.hash}`;
    const name = path ?? id;
    const claiming = missing.map((claim) => tables.claims.write.put(claimId(claim), claim));
    // One that is deleted at this moment makes the repair fail.
    const fast = tables.images.write.replace(id, image.revision, image.value);
    if (known === undefined && isSigned(image.value)) {
      const mend = [fast, tables.signedImages.write.insert(id, this.#announced(image)), ...claiming];
      return { differences: [{ problem: { kind: 'signatures_missing', name }, subject: 'image', mend }] };
    }
    const differences: Difference[] = [];
    if (!sameSigners(image, known)) {
      const mend = await this.#corrected(image, known, container, look);
      const named = signersOf(image.value).join(' ');
      const what = named === '' ? {} : { what: named };
      differences.push({ problem: { kind: 'signers_wrong', name, ...what }, subject: 'image', mend });
    }
    for (const [index, { fingerprint }] of missing.entries()) {
      const held = differences.length === 0 ? [fast] : [];
      const mend = [...claiming.slice(index, index + 1), ...held];
      differences.push({
        problem: { kind: 'claim_missing', name, what: fingerprint },
        subject: 'image',
        mend,
      });
    }
    return { differences };
  }

  /** Signatures that are looked at as soon as somebody can. Signers that the record names are in doubt until then. */
  #announced({ id, value: { signers = [], checkedAt } }: Image): SignedImage['value'] {
    const before =
      checkedAt === undefined
        ? {}
        : { checkedAt, changed: true, signers: signers.map((fingerprint) => ({ fingerprint })) };
    return { ...UNKNOWN, ...before, image: id, due: this.#now() };
  }

  /** The door goes by what is known of the signatures: so the record and the search do, and all of it is looked at again. */
  async #corrected(
    image: Image,
    known: SignedImage | undefined,
    container: Container | undefined,
    look: Look,
  ): Promise<Write[]> {
    const { tables } = this.#parts;
    const { signers: _, checkedAt: __, ...rest } = image.value;
    const { checkedAt, signers } = known?.value ?? UNKNOWN;
    const value: ImageDocument = {
      ...rest,
      ...(checkedAt === undefined
        ? {}
        : { checkedAt, signers: signers.map(({ fingerprint }) => fingerprint) }),
    };
    const [before, after] = [image.value, value].map((one) =>
      container === undefined
        ? new Map<string, never>()
        : imageTerms({ id: image.id, value: one }, container),
    );
    const terms = await byId(tables.terms, [...(before?.keys() ?? []), ...(after?.keys() ?? [])]);
    for (const term of terms.values()) look.sawDocument(term);
    const leading = [...(after ?? [])]
      .filter(([id, term]) => !sameTerm(terms.get(id)?.value, term))
      .map(([id, term]) => tables.terms.write.put(id, term));
    const stray = [...terms.values()]
      .filter(({ id }) => after?.has(id) === false)
      .map(({ id, revision }) => tables.terms.write.delete(id, revision));
    return [
      tables.images.write.replace(image.id, image.revision, value),
      ...(known === undefined
        ? []
        : [
            tables.signedImages.write.replace(known.id, known.revision, { ...known.value, due: this.#now() }),
          ]),
      ...leading,
      ...stray,
    ];
  }

  async #signatures(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.signedImages.scan('byImage', options);
    const images = await byId(
      tables.images,
      items.map(({ id }) => id),
    );
    const suspects = items
      .filter(({ id }) => !isSigned(images.get(id)?.value))
      .map(({ id }): Suspect => ({ name: id, look: (look) => this.#lookAtSignatures(id, look) }));
    return { suspects, next: cursor };
  }

  async #lookAtSignatures(id: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const known = await tables.signedImages.get(id);
    look.sawDocument(known);
    const image = await tables.images.get(id);
    look.sawDocument(image);
    if (known === undefined || isSigned(image?.value)) return { differences: [] };
    const mend = [tables.signedImages.write.delete(id, known.revision)];
    return { differences: [{ problem: { kind: 'signatures_stray', name: id }, subject: 'image', mend }] };
  }

  async #claims(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.claims.scan('byKey', options);
    const images = await byId(
      tables.images,
      items.map(({ value }) => value.image),
    );
    const suspects = items
      .filter(({ id, value }) => !leads(id, value, images.get(value.image)))
      .map(({ id }): Suspect => ({ name: id, look: (look) => this.#lookAtClaim(id, look) }));
    return { suspects, next: cursor };
  }

  async #lookAtClaim(id: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const claim = await tables.claims.get(id);
    look.sawDocument(claim);
    if (claim === undefined) return { differences: [] };
    const { image, fingerprint } = claim.value;
    const found = await tables.images.get(image);
    look.sawDocument(found);
    // What should lead to another image is said of that.
    const other = await tables.images.get(id.slice(id.indexOf('/') + 1));
    look.sawDocument(other);
    const isSaid = other !== undefined && claimsOf(other).some((one) => claimId(one) === id);
    if (isSaid || leads(id, claim.value, found)) return { differences: [] };
    const problem = { kind: 'claim_stray', name: fingerprint, what: image } as const;
    const mend = [tables.claims.write.delete(id, claim.revision)];
    return { differences: [{ problem, subject: 'key', mend }] };
  }

  #now(): number {
    return this.#parts.clock.now().getTime();
  }
}

function isSigned(value: ImageDocument | undefined): boolean {
  return value?.signed === true && value.uploaded;
}

/** By which keys an image has to be found. */
function claimsOf({ id, value }: Image): ClaimDocument[] {
  return isSigned(value) ? value.fingerprints.map((fingerprint) => ({ fingerprint, image: id })) : [];
}

function sameClaim(a: ClaimDocument | undefined, b: ClaimDocument): boolean {
  return a?.fingerprint === b.fingerprint && a.image === b.image;
}

/** Whether a key leads to an image that has a signature by it. */
function leads(id: string, claim: ClaimDocument, image: Image | undefined): boolean {
  return id === claimId(claim) && image !== undefined && claimsOf(image).some((one) => claimId(one) === id);
}

function signersOf({ signers = [] }: ImageDocument): string[] {
  return signers.toSorted();
}

/** Whether the record of an image names those who are known to have signed it. */
function sameSigners({ value }: Image, known: SignedImage | undefined): boolean {
  if (isSigned(value) && known === undefined) return false;
  const fingerprints = known?.value.signers.map(({ fingerprint }) => fingerprint).toSorted() ?? [];
  return fingerprints.join(' ') === signersOf(value).join(' ');
}
