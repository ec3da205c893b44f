import type { KeyAddAnswer } from '#libs/contract';
import { joinArmor } from '#libs/pgp';
import type { StoredCertificate } from './certificates.store.js';
import type { Submitted } from './submit.service.js';

/** All certificates in one armor block: stock clients read only the first one (keystore contract §1.6). */
export function armorOf(certificates: readonly StoredCertificate[]): string {
  const armors = certificates.map(({ armor }) => armor);
  return armors.length === 1 ? (armors[0] ?? '') : joinArmor(armors);
}

/** The listing in `mr` form; lines and their fields are those of keystore contract §1.7. */
export function listingOf(certificates: readonly StoredCertificate[], now: Date): string {
  const lines = [`info:1:${certificates.length}`];
  for (const certificate of certificates) {
    const { fingerprint, algorithm, bits, created, expires } = certificate;
    lines.push(
      [
        'pub',
        fingerprint.toUpperCase(),
        algorithm,
        bits,
        created,
        expires ?? '',
        flagOf(certificate, now),
      ].join(':'),
    );
    for (const userId of certificate.userIds) {
      lines.push(['uid', escape(userId.text), userId.created, '', userId.revoked ? 'r' : ''].join(':'));
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** One letter at most: clients compare the whole field (keystore contract §0 rule 6). Expiry is decided now, not when it was stored. */
function flagOf({ revoked, expires }: StoredCertificate, now: Date): string {
  if (revoked) return 'r';
  return expires !== undefined && expires * 1000 <= now.getTime() ? 'e' : '';
}

function escape(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what must not get through
  return text.replace(/[%+:\u0000-\u001f\u007f-\u009f\u2028\u2029]/gu, (character) =>
    encodeURIComponent(character).replace('+', '%2B'),
  );
}

/** One line a certificate, as Apptainer shows them to the user. */
export function submittedText(results: readonly Submitted[]): string {
  return results
    .map(({ fingerprint, outcome, comment }) =>
      outcome === 'invalid' ? `not stored: ${comment ?? ''}\n` : `${fingerprint.toUpperCase()} ${outcome}\n`,
    )
    .join('');
}

/** The same as JSON, in the shape of HKP drafts (keystore contract §1.9). */
export function submittedJson(results: readonly Submitted[]): KeyAddAnswer {
  const of = (outcome: Submitted['outcome']) =>
    results
      .filter((result) => result.outcome === outcome)
      .map(({ fingerprint }) => ({ version: 4, fingerprint }));
  return {
    inserted: of('inserted'),
    updated: of('updated'),
    ignored: of('unchanged'),
    deleted: [],
    invalid: results
      .filter(({ outcome }) => outcome === 'invalid')
      .map(({ comment }) => ({ comment: comment ?? '' })),
  };
}
