import { UsageError } from '#libs/cli';
import { expected } from '#libs/core';
import type { Extra, Link } from '#libs/sif';

/** What `sif add` was told about the object, in the words and numbers of siftool (SIF contract §1.13). */
export interface ObjectFlags {
  readonly parttype: number | undefined;
  readonly partfs: number | undefined;
  readonly partarch: string | undefined;
  readonly signhash: number | undefined;
  readonly signentity: string | undefined;
  readonly sbomformat: string | undefined;
}

type Sif = typeof import('#libs/sif');

/** Number of the first data type; on the command line they count from 1 (§1.6). */
const FIRST_TYPE = 0x4001;

/** The data type of the flag's number. @throws UsageError without one */
export function objectType(number: number | undefined): number {
  if (number === undefined)
    throw usage(
      '--datatype flag is required with a valid range: 1 to 11',
      'See the types: sing help sif add',
    );
  return FIRST_TYPE + number - 1;
}

/** What goes into the extra field. @throws UsageError when something that the type needs is missing or not valid */
export function objectExtra(sif: Sif, type: number, flags: ObjectFlags): Extra | undefined {
  if (type === sif.DataType.partition) return partition(sif, flags);
  if (type === sif.DataType.signature) return signature(flags);
  if (type === sif.DataType.sbom) return billOfMaterials(sif, flags);
  return undefined;
}

function partition(sif: Sif, { partfs, parttype, partarch }: ObjectFlags): Extra {
  if (partfs === undefined || parttype === undefined || partarch === undefined)
    throw usage('with partition datatype, --partfs, --parttype and --partarch must be passed');
  // By name, or by the number that the format has for it.
  const architecture = /^[0-9]{1,2}$/.test(partarch)
    ? sif.architectureName(partarch.padStart(2, '0'))
    : partarch;
  if (sif.architectureCode(architecture) === undefined)
    throw usage(
      `unknown architecture: ${expected('a name such as amd64, or 1 to 13', '--partarch', partarch)}`,
    );
  return { kind: 'partition', partition: { fileSystem: partfs, type: parttype, architecture } };
}

function signature({ signhash, signentity }: ObjectFlags): Extra {
  if (signhash === undefined)
    throw usage('invalid hash type: with signature datatype, --signhash must be passed');
  if (signentity === undefined || !/^[0-9a-fA-F]{40}$/.test(signentity))
    throw usage(
      `invalid signing entity fingerprint: ${expected('40 hexadecimal digits', '--signentity', signentity ?? 'nothing')}`,
    );
  return { kind: 'signature', signature: { hashType: signhash, entity: Buffer.from(signentity, 'hex') } };
}

function billOfMaterials(sif: Sif, { sbomformat }: ObjectFlags): Extra {
  if (sbomformat === undefined) throw usage('with SBOM datatype, --sbomformat must be passed');
  const formats: readonly string[] = sif.SBOM_FORMATS;
  const index = formats.indexOf(sbomformat === 'github' ? 'github-json' : sbomformat);
  if (index === -1)
    throw usage(
      `invalid SBOM format: ${expected(`one of ${formats.join(', ')}`, '--sbomformat', sbomformat)}`,
    );
  return { kind: 'sbom', format: index + 1 };
}

/** The top four bits of a number that names a group (§1.4). */
const GROUP_BITS = 0xf;

/** A link as siftool takes it: a number of an object, or of a group with all four top bits set. */
export function objectLink(number: number): Link | undefined {
  const [top, id] = [number >>> 28, number & 0x0fffffff];
  if (top !== 0 && top !== GROUP_BITS)
    throw usage(`invalid link: ${expected('an object, or 4026531840 + a group', '--link', number)}`);
  return id === 0 ? undefined : { kind: top === GROUP_BITS ? 'group' : 'object', id };
}

const usage = (message: string, remedy?: string): UsageError =>
  new UsageError('sif add', message, remedy === undefined ? {} : { remedy });
