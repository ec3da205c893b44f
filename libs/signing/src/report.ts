import { dataTypeName, escapeText, groupOf, linkOf, typeText, type Descriptor } from '#libs/sif';
import type { DomainError } from '#libs/core';
import { coverageOf, type CoverageState } from './coverage.js';
import { failureError } from './fault.js';
import type { SignatureReport, VerifyResult } from './result.js';

/*
 * What `sing verify` prints on standard output, in the form of the stock tools (SIF contract §2.10). Texts from keys are
 * escaped. The label is where the signer's key really was found.
 */

/** Text for one signature. */
export function signatureText(report: SignatureReport): string {
  const lines: string[] = [];
  if (report.signer !== undefined) {
    const label = `[${report.signer.origin.toUpperCase()}]`.padEnd(18);
    lines.push(`${label} Signing entity: ${escapeText(report.signer.userId)}`);
    lines.push(`${label} Fingerprint: ${report.signer.fingerprint}`);
  }
  lines.push('Objects verified:', 'ID  |GROUP   |LINK    |TYPE', '-'.repeat(48));
  lines.push(...report.verified.map(objectRow));
  if (report.failure !== undefined)
    lines.push('', `Error encountered during signature verification: ${report.failure.message}`);
  return `${lines.join('\n')}\n`;
}

function objectRow(object: Descriptor): string {
  const group = groupOf(object);
  const link = linkOf(object);
  const linkText = link === undefined ? 'NONE' : `${link.id}${link.kind === 'group' ? ' (G)' : ''}`;
  return [
    String(object.id).padEnd(4),
    (group === 0 ? 'NONE' : String(group)).padEnd(8),
    linkText.padEnd(8),
    dataTypeName(object.type),
  ].join('|');
}

/** How many objects one sentence names. */
const NAMED_OBJECTS = 20;

const STATES: Record<Exclude<CoverageState, 'covered'>, string> = {
  changed: 'Changed after it was signed',
  left_out: 'Not named by a signature of its group',
  unsigned: 'Signed by nobody',
  not_checked: 'Not checked',
};

/**
 * Which objects the verification does not vouch for, one sentence for each reason; none when everything is covered. Users
 * of an image may run what is in it: an overlay that nobody signed is named here (SIF contract §2.12).
 */
export function coverageSentences(result: VerifyResult): { state: CoverageState; text: string }[] {
  const coverage = coverageOf(result);
  return (['changed', 'left_out', 'unsigned', 'not_checked'] as const).flatMap((state) => {
    const objects = coverage.filter((one) => one.state === state).map(({ descriptor }) => descriptor);
    if (objects.length === 0) return [];
    const names = objects.slice(0, NAMED_OBJECTS).map((one) => `${one.id} ${typeText(one)}`);
    const more = objects.length > NAMED_OBJECTS ? ` and ${objects.length - NAMED_OBJECTS} more` : '';
    return { state, text: `${STATES[state]}: ${names.join(', ')}${more}` };
  });
}

/**
 * Text of `--json`: in the stock program's two members one entry per verified object and signature, and one for data that
 * is not what was signed; besides, for every object who covers it, and what is odd outside of all signatures.
 */
export function resultJson(result: VerifyResult): string {
  const entries = result.signatures.flatMap((report) => [
    ...report.verified.map((object) => entry(report, dataTypeName(object.type), true)),
    ...(report.failure?.reason === 'data_compromised' ? [entry(report, failedType(report), false)] : []),
  ]);
  const json = {
    Signatures: result.signatures.length,
    SignerKeys: entries.length === 0 ? null : entries,
    Objects: coverageOf(result).map(({ descriptor, state, signatures }) => ({
      ID: descriptor.id,
      Group: groupOf(descriptor) === 0 ? null : groupOf(descriptor),
      Type: typeText(descriptor),
      State: state,
      SignedBy: signatures.map(({ signer, keyId }) => signer?.fingerprint.toLowerCase() ?? keyId ?? ''),
    })),
    Warnings: [...result.warnings, ...result.outside],
  };
  // The escapes of Go's encoder: scripts may compare texts.
  return `${JSON.stringify(json, null, 2).replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

function failedType(report: SignatureReport): string {
  return report.failedObject === undefined ? 'Unknown' : dataTypeName(report.failedObject.type);
}

function entry({ signer }: SignatureReport, partition: string, dataCheck: boolean) {
  return {
    Signer: {
      Partition: partition,
      Name: signer?.userId ?? 'unknown',
      Fingerprint: signer?.fingerprint.toLowerCase() ?? '',
      KeyLocal: signer?.origin === 'local',
      KeyCheck: signer !== undefined,
      DataCheck: dataCheck,
    },
  };
}

/** The error of a verification that failed, with exit status 255; undefined when it succeeded. */
export function verificationError(result: VerifyResult): DomainError | undefined {
  return result.failure && failureError(result.failure, 'Failed to verify container');
}
