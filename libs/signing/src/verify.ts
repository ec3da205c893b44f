import type { KeyObject } from 'node:crypto';
import { DomainError, type Clock } from '#libs/core';
import { looksClearSigned, splitClearSigned, verifyClearSigned } from '#libs/pgp';
import {
  readObject,
  readSif,
  SIF_LIMITS,
  signatureOf,
  type Descriptor,
  type ReadAccess,
  type SifImage,
} from '#libs/sif';
import { checkCovered } from './covered.js';
import { DataDigests } from './digest.js';
import { verifyEnvelope } from './dsse/dsse.js';
import { readEnvelope, type Envelope } from './dsse/envelope.js';
import { failed, VerificationFailure } from './fault.js';
import { KeySearch, type KeySource } from './keySource.js';
import { checkLegacy, isLegacyText } from './legacy.js';
import { outsideWarnings } from './outside.js';
import type { ImageSigner, SignatureReport, VerifyResult } from './result.js';
import { tasksFor, type Selection, type Task } from './task.js';

export interface VerifyOptions extends Selection {
  /** Where OpenPGP keys come from, asked in this order; absent when no OpenPGP key is to be used at all. */
  readonly pgp?: readonly KeySource[];
  /** Public keys for DSSE envelopes; absent when none are to be used. */
  readonly dsse?: readonly KeyObject[];
  /** Expiry and revocation of keys are judged now, not at the time of the signature. */
  readonly clock: Clock;
  /** Also look for what no signature covers and looks changed or hidden: reads what lies between the objects, too. */
  readonly outside?: boolean;
  /** Go on behind a signature that is not good, so that there is a report for each; the first failure is still the answer. */
  readonly everySignature?: boolean;
  /**
   * Digests of data that are known, and to which those are added that are computed: for whoever verifies the same bytes again, when a
   * key has changed and they cannot have. Give nothing but what came from here, of the very same file.
   */
  readonly digests?: Map<string, string>;
  readonly signal?: AbortSignal;
}

/**
 * Verifies an image: every signature on every group that is asked for must be good, and must cover exactly what is there
 * (SIF contract §2.7). The first failure ends it. The one verifier for command line, library, builder and execution
 * control.
 * @param access the very file that will be used: what is verified is what is read through it
 * @throws DomainError when the file is no image; everything about signatures is in the result
 */
export async function verifyImage(access: ReadAccess, options: VerifyOptions): Promise<VerifyResult> {
  const image = await readSif(access);
  const verifier = new Verifier(image, options);
  const failure = await verifier.run().then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof VerificationFailure) return error.failure;
      throw error;
    },
  );
  const { reports, warnings } = verifier;
  const outside = options.outside === true ? await outsideWarnings(image, reports, options.signal) : [];
  return {
    ok: failure === undefined,
    signatures: reports,
    warnings,
    image,
    outside,
    ...(failure && { failure }),
  };
}

/** A signature object after its data was read and its kind is known. */
type Opened = { readonly descriptor: Descriptor; readonly data: Buffer } & (
  { readonly kind: 'dsse'; readonly envelope: Envelope } | { readonly kind: 'pgp' | 'legacy' }
);

/** A report while it grows. */
type Draft = { -readonly [Key in keyof SignatureReport]: SignatureReport[Key] } & {
  verified: Descriptor[];
  leftOut: Descriptor[];
};

class Verifier {
  readonly reports: SignatureReport[] = [];
  readonly #search: KeySearch | undefined;
  readonly #digests: DataDigests;
  #first: VerificationFailure | undefined;

  constructor(
    private readonly image: SifImage,
    private readonly options: VerifyOptions,
  ) {
    this.#search = options.pgp === undefined ? undefined : new KeySearch(options.pgp);
    this.#digests = new DataDigests(image, options);
  }

  get warnings(): readonly string[] {
    return this.#search?.warnings ?? [];
  }

  async run(): Promise<void> {
    for (const task of tasksFor(this.image, this.options)) {
      const signatures = await this.#signatures(task);
      if (signatures.length === 0)
        this.#fail(failed('signature_not_found', `signature not found for ${task.subject}`));
      for (const signature of signatures)
        await this.#verify(task, signature).catch((error: unknown) => this.#fail(error));
    }
    if (this.#first !== undefined) throw this.#first;
  }

  /** Ends the verification, or remembers why it has failed when the rest is looked at all the same. */
  #fail(error: unknown): void {
    if (this.options.everySignature !== true || !(error instanceof VerificationFailure)) throw error;
    this.#first ??= error;
  }

  /** The signatures of the wanted format. Legacy ones count for nothing unless they are asked for. */
  async #signatures(task: Task): Promise<Descriptor[]> {
    const wanted: Descriptor[] = [];
    const legacy = this.options.legacy ?? false;
    for (const descriptor of task.signatures) {
      // Signatures that are linked to one object only ever were legacy ones: what they are is judged when they are used.
      if (legacy && task.form === 'object') wanted.push(descriptor);
      else if (isLegacy(await this.#data(descriptor)) === legacy) wanted.push(descriptor);
    }
    return wanted;
  }

  async #verify(task: Task, descriptor: Descriptor): Promise<void> {
    const opened = await this.#open(descriptor);
    const report: Draft = {
      kind: opened.kind,
      signatureId: descriptor.id,
      group: task.group,
      verified: [],
      leftOut: [],
    };
    this.reports.push(report);
    try {
      const { hashType, entity } = hashKnown(descriptor);
      const text = await this.#signedText(opened, report);
      if (report.signer !== undefined && report.signer.fingerprint !== entity.toString('hex').toUpperCase())
        throw failed(
          'fingerprint_mismatch',
          'fingerprint in descriptor does not correspond to signing entity',
          { objectId: descriptor.id },
        );
      const { verified, leftOut } = report;
      const context = { image: this.image, task, digests: this.#digests, verified, leftOut };
      if (this.options.legacy === true) await checkLegacy({ ...context, text, hashType });
      else await checkCovered({ ...context, text });
    } catch (error) {
      if (error instanceof VerificationFailure) {
        report.failure = error.failure;
        const failedObject = task.objects.find(({ id }) => id === error.failure.objectId);
        if (failedObject !== undefined) report.failedObject = failedObject;
      }
      throw error;
    }
  }

  /** Reads the object and finds out what it is. Missing key material ends the verification here. */
  async #open(descriptor: Descriptor): Promise<Opened> {
    const data = await this.#data(descriptor);
    const envelope = readEnvelope(data);
    if (envelope !== undefined) {
      if (this.options.dsse === undefined)
        throw failed('key_material_missing', 'key material not provided for DSSE envelope signature');
      return { descriptor, data, kind: 'dsse', envelope };
    }
    if (!looksClearSigned(data)) throw failed('format_not_recognized', 'signature format not recognized');
    if (this.#search === undefined)
      throw failed('key_material_missing', 'key material not provided for PGP clear-sign signature');
    return { descriptor, data, kind: this.options.legacy === true ? 'legacy' : 'pgp' };
  }

  /** What was really signed; nothing else of the object is used from here on. */
  async #signedText(opened: Opened, report: Draft): Promise<Buffer> {
    const { id } = opened.descriptor;
    if (opened.kind === 'dsse') {
      const { payload, keyId } = verifyEnvelope(opened.envelope, this.options.dsse ?? [], id);
      report.keyId = keyId;
      return payload;
    }
    const search = this.#search ?? new KeySearch([]);
    try {
      const find = async (keyId: string) => (await search.find(keyId)).keys;
      const { text, signer } = await verifyClearSigned(opened.data, find, this.options.clock.now());
      const { fingerprint, keyId, userId, signedAt } = signer;
      const issuer: ImageSigner = {
        fingerprint,
        keyId,
        userId,
        signedAt,
        origin: (await search.find(keyId)).origin,
      };
      report.signer = issuer;
      return text;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      throw failed('signature_not_valid', `signature object ${id} not valid: ${error.message}`, {
        objectId: id,
        cause: error,
        ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      });
    }
  }

  async #data(descriptor: Descriptor): Promise<Buffer> {
    try {
      return await readObject(this.image, descriptor, SIF_LIMITS.signatureBytes);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      throw failed('signature_not_valid', `signature object ${descriptor.id} not valid: ${error.message}`, {
        objectId: descriptor.id,
        cause: error,
      });
    }
  }
}

function hashKnown(descriptor: Descriptor) {
  try {
    return signatureOf(descriptor);
  } catch (cause) {
    throw failed('hash_unsupported', 'hash algorithm unsupported', { objectId: descriptor.id, cause });
  }
}

function isLegacy(data: Buffer): boolean {
  try {
    return looksClearSigned(data) && isLegacyText(splitClearSigned(data).text);
  } catch {
    // Not even a message: the check that uses it says so.
    return false;
  }
}
