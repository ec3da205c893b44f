import { createHash } from 'node:crypto';
import { chunksOf, HashType, openObject, objectProblem, type Descriptor } from '#libs/sif';
import type { CoverageCheck } from './covered.js';
import { dataCompromised } from './digest.js';
import { failed } from './fault.js';

/*
 * Signatures from before Singularity 3.6: a digest of the data alone. Whoever uses them gets no promise about header,
 * names, types or architecture, which is why they are asked for by a flag of their own (SIF contract §2.8).
 */

const PREFIX = 'SIFHASH:\n';

/** True when a signed text is of the legacy form; texts of today are JSON and never are. */
export function isLegacyText(text: Buffer): boolean {
  return text.subarray(0, PREFIX.length).toString('latin1') === PREFIX;
}

/** The descriptor's hash type says how the data was hashed. */
const ALGORITHMS = new Map<number, string>([
  [HashType.sha256, 'sha256'],
  [HashType.sha384, 'sha384'],
  [HashType.sha512, 'sha512'],
]);

/**
 * Compares the data of an object, or of all objects of a group one after the other in table order, with a signed digest.
 * @throws VerificationFailure at a difference
 */
export async function checkLegacy(check: CoverageCheck & { readonly hashType: number }): Promise<void> {
  const { task, text, hashType, verified } = check;
  const algorithm = ALGORITHMS.get(hashType);
  if (algorithm === undefined) throw failed('hash_unsupported', 'hash algorithm unsupported');
  if (!isLegacyText(text)) throw failed('format_not_recognized', 'signature format not recognized');
  const claimed = text.subarray(PREFIX.length).toString('latin1').trim().toLowerCase();
  const hash = createHash(algorithm);
  for (const object of task.objects) await update(check, hash, object);
  if (hash.digest('hex') !== claimed) {
    const [object] = task.objects;
    if (task.form === 'object' && object !== undefined) throw dataCompromised(object.id);
    throw failed('data_compromised', `data object integrity compromised in group ${task.group}`);
  }
  verified.push(...task.objects);
}

async function update({ image }: CoverageCheck, hash: ReturnType<typeof createHash>, object: Descriptor) {
  const problem = objectProblem(image, object);
  if (problem !== undefined) throw dataCompromised(object.id, problem);
  for await (const chunk of chunksOf(openObject(image, object))) hash.update(chunk);
}
