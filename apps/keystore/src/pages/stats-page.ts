import type { KeystoreStats } from '#libs/contract';
import { markup, page } from '#libs/server';
import { searchForm } from './search-form.js';

const ANONYMOUS: Readonly<Record<KeystoreStats['anonymous'], string>> = {
  nothing: 'Keys are taken with a token only.',
  revocations: 'Keys are taken with a token; revocations of keys that are here without one, too.',
  updates: 'New keys are taken with a token; changes of keys that are here without one, too.',
};

/** What this keystore is, and the way into it for people. */
export function statsPage({ version, reads, anonymous, rates, limits }: KeystoreStats): string {
  return page(
    'Keys – SCS',
    markup`<h1>Keys</h1>
<p>The keystore of this instance: OpenPGP certificates, for <code>sing</code>, <code>singularity</code>, <code>apptainer</code> and <code>gpg</code>.</p>
${searchForm()}
<h2>What it takes</h2>
<p>${ANONYMOUS[anonymous]} ${reads === 'everybody' ? 'Everybody may look keys up.' : 'Who looks keys up needs a token, too.'}</p>
<table>
<tr><th scope="row">Version</th><td>${version}</td></tr>
<tr><th scope="row">Uploads of an account</th><td>${String(rates.addsPerHour)} in an hour</td></tr>
<tr><th scope="row">Searches from an address</th><td>${String(rates.searchesPerSecond)} in a second; more are refused</td></tr>
<tr><th scope="row">Keys fetched from an address</th><td>${String(rates.getsPerSecond)} in a second; more have to wait</td></tr>
<tr><th scope="row">An upload</th><td>at most ${String(limits.certificates)} keys in ${kibibytes(limits.uploadBytes)}</td></tr>
<tr><th scope="row">A key</th><td>at most ${kibibytes(limits.certificateBytes)}, without what others have signed</td></tr>
</table>
<p><a href="/">Start page</a></p>`,
  );
}

const kibibytes = (bytes: number): string => `${bytes / 1024} KiB`;
