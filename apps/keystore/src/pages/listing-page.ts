import { writtenOut } from '#libs/core';
import { type Html, markup, page } from '#libs/server';
import type { StoredCertificate } from '../certificates.store.js';
import type { CertificateDetails, SignatureDetails, SubkeyDetails } from '../details.js';
import { algorithmName, stateOf } from '../present.js';
import { searchForm } from './search-form.js';

export interface ListingFacts {
  readonly term: string;
  readonly certificates: readonly StoredCertificate[];
  /** By fingerprint: with them everything is shown (`op=vindex`). */
  readonly details: ReadonlyMap<string, CertificateDetails> | undefined;
  /** Where the next page is. */
  readonly next: string | undefined;
  readonly now: Date;
}

/** Certificates that a search found, for people. Every user id is somebody's claim, and is escaped like all that comes from outside. */
export function listingPage({ term, certificates, details, next, now }: ListingFacts): string {
  const count = certificates.length === 1 ? 'One key' : `${certificates.length} keys`;
  return page(
    `${writtenOut(term)} – keys – SCS`,
    markup`<h1>Keys</h1>
${searchForm(term)}
<p role="status">${count}${next === undefined ? '' : ', and there are more'}. A name or an address in a key is what its maker wrote there, and proves nothing:
compare the whole fingerprint with its owner.</p>
${certificates.map((certificate) => keyOf(certificate, details?.get(certificate.fingerprint), now))}
${next === undefined ? markup`` : markup`<p><a href="${next}" rel="next">Next page</a></p>`}
<p><a href="/">Start page</a></p>`,
  );
}

function keyOf(certificate: StoredCertificate, details: CertificateDetails | undefined, now: Date): Html {
  const { fingerprint, algorithm, bits, created, expires, userIds } = certificate;
  const hex = fingerprint.toUpperCase();
  const state = stateOf(certificate, now);
  const [name] = userIds;
  const lookup = (operation: string): string => `/pks/lookup?op=${operation}&search=0x${hex}`;
  return markup`<section aria-labelledby="k${hex}">
<h2 id="k${hex}"><bdi>${writtenOut(name?.text ?? 'Without a name')}</bdi>${state === '' ? '' : markup` <strong>(${state})</strong>`}</h2>
<p><code>${grouped(hex)}</code></p>
<table>
<tr><th scope="row">Key</th><td>${kindOf(algorithm, bits)}, made ${day(created)}${expires === undefined ? '' : markup`, ends ${day(expires)}`}</td></tr>
${weakness(details?.weak === true || (BY_BITS.has(algorithm) && bits < 2048))}
${userIds.map(
  ({ text, revoked, confirmed }, index) =>
    markup`<tr><th scope="row">Name</th><td><bdi>${writtenOut(text)}</bdi>${revoked ? ' (revoked)' : ''}${confirmed === true ? ' (address of an account here)' : ''}${signatures(details?.userIds[index])}</td></tr>`,
)}
${(details?.subkeys ?? []).map((subkey) => subkeyRow(subkey, now))}
${details === undefined || details.own.length === 0 ? markup`` : markup`<tr><th scope="row">About itself</th><td>${signatures(details.own)}</td></tr>`}
</table>
<p><a href="${lookup('get')}">Download</a>${details === undefined ? markup` · <a href="${lookup('vindex')}">Subkeys and signatures</a>` : ''}</p>
</section>`;
}

function subkeyRow(subkey: SubkeyDetails, now: Date): Html {
  const { fingerprint, algorithm, bits, created, expires, revoked, mayDo } = subkey;
  const over = expires !== undefined && expires * 1000 <= now.getTime();
  return markup`<tr><th scope="row">Subkey</th><td><code>${grouped(fingerprint.toUpperCase())}</code><br>
${kindOf(algorithm, bits)}, made ${day(created)}${expires === undefined ? '' : markup`, ends ${day(expires)}`}${mayDo.length === 0 ? '' : `, to ${mayDo.join(', ')}`}${revoked ? ' (revoked)' : over ? ' (expired)' : ''}
${signatures(subkey.signatures)}</td></tr>`;
}

/** RFC 9580 §5.2.1, in words. */
const SIGNATURES: Readonly<Record<number, string>> = {
  0x18: 'bound',
  0x1f: 'set out',
  0x20: 'revoked',
  0x28: 'revoked',
  0x30: 'revoked',
};

function signatures(list: readonly SignatureDetails[] | undefined): Html {
  if (list === undefined || list.length === 0) return markup``;
  return markup`<ul>${list.map(
    ({ type, issuer, created, expires }) =>
      markup`<li>${SIGNATURES[type] ?? 'certified'} ${day(created)}${expires === undefined ? '' : markup`, until ${day(expires)}`}, by <code>${issuer.toUpperCase()}</code></li>`,
  )}</ul>`;
}

const kindOf = (algorithm: number, bits: number): string =>
  bits === 0 ? algorithmName(algorithm) : `${algorithmName(algorithm)} (${bits} bits)`;

function weakness(weak: boolean): Html {
  return weak
    ? markup`<tr><th scope="row">Warning</th><td>This key, or what it has signed about itself, can be forged by who has the means: it is too short, or uses SHA-1.</td></tr>`
    : markup``;
}

/** RSA and DSA, whose strength is their length. */
const BY_BITS: ReadonlySet<number> = new Set([1, 2, 3, 17]);

const grouped = (hex: string): string => hex.replace(/(.{4})(?=.)/g, '$1 ');

function day(seconds: number): Html {
  const time = new Date(seconds * 1000).toISOString();
  return markup`<time datetime="${time}">${time.slice(0, 10)}</time>`;
}
