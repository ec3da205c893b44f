import { type Actor, type ScopeName, SCOPE_NAMES, type TokenRecord } from '#libs/contract';
import { type Html, markup, page } from '#libs/server';

export interface AccountPageFacts {
  readonly actor: Pick<Actor, 'username' | 'displayName' | 'administrator'>;
  readonly formProof: string;
  readonly tokens: readonly TokenRecord[];
  readonly now: Date;
  /** A token that was just made: shown here and never again. */
  readonly made?: { readonly name: string; readonly token: string };
  /** Why the last form was refused. */
  readonly refusal?: string;
}

/** What a scope lets a program do, in the words of people. */
const MEANING: Readonly<Record<ScopeName, string>> = {
  'library:read': 'pull private images',
  'library:create': 'push images and set new tags',
  'library:write': 'push images, set and move tags, describe containers',
  'library:delete': 'delete images',
  'keystore:write': 'add keys to the keystore',
  build: 'build images remotely',
  admin: 'administer this instance',
};
/** What a program on somebody's machine needs. */
const USUAL: ReadonlySet<string> = new Set(['library:read', 'library:write', 'keystore:write', 'build']);

/** Tokens of the person who is signed in: those there are, one that was just made, and the form for another one. */
export function accountPage(facts: AccountPageFacts): string {
  const { actor, formProof, tokens, made, refusal } = facts;
  return page(
    'Tokens – SCS',
    markup`<div class="bar"><h1>Tokens of ${actor.username}</h1>
<form method="post" action="/auth/sign-out">${proofField(formProof)}<button>Sign out</button></form></div>
<p>A token stands for you when a program talks to this server. Give each program its own, so that each can be ended alone.</p>
${refusal === undefined ? markup`` : markup`<p role="alert">${refusal}</p>`}
${made === undefined ? markup`` : newToken(made)}
<h2>New token</h2>
<form class="stack" method="post" action="/auth/account/tokens">${proofField(formProof)}
<label>Name <input name="name" required maxlength="64" placeholder="laptop"></label>
<fieldset><legend>It may</legend>
${scopesFor(actor.administrator).map(
  (name) =>
    markup`<label><input type="checkbox" name="${name}" value="on"${USUAL.has(name) ? markup` checked` : markup``}> ${MEANING[name]} (<code>${name}</code>)</label>`,
)}
</fieldset>
<label>Only at this place of the library (empty: everywhere) <input name="place" maxlength="200" placeholder="${actor.username}/collection/container" autocapitalize="none" spellcheck="false"></label>
<label>For <select name="days">
${[7, 30, 90, 365].map((days) => markup`<option value="${String(days)}"${days === 90 ? markup` selected` : markup``}>${String(days)} days</option>`)}
</select></label>
<button>Make the token</button>
</form>
<h2>Your tokens</h2>
${tokens.length === 0 ? markup`<p>There are none.</p>` : table(facts)}
<p><a href="/">Start page</a></p>`,
  );
}

function scopesFor(administrator: boolean): readonly ScopeName[] {
  return SCOPE_NAMES.filter((name) => name !== 'admin' || administrator);
}

function proofField(proof: string): Html {
  return markup`<input type="hidden" name="proof" value="${proof}">`;
}

function newToken({ name, token }: { readonly name: string; readonly token: string }): Html {
  return markup`<div role="status"><p>The token <strong>${name}</strong> was made. Copy it now: it is not shown again.</p>
<pre>${token}</pre>
<p>Hand it to the program that asks for it, for example <code>sing remote login</code>.</p></div>`;
}

function table({ tokens, formProof, now }: AccountPageFacts): Html {
  return markup`<table class="wide"><thead><tr><th scope="col">Name</th><th scope="col">May</th><th scope="col">Made</th><th scope="col">Ends</th><th scope="col">State</th></tr></thead>
<tbody>
${tokens.map(
  (token) =>
    markup`<tr><th scope="row">${token.name}</th><td>${token.scopes.join(', ')}</td><td>${day(token.createdAt)}</td><td>${day(token.expiresAt)}</td><td>${state(token, formProof, now)}</td></tr>`,
)}
</tbody></table>`;
}

function state(token: TokenRecord, proof: string, now: Date): Html {
  if (token.revokedAt !== null) return markup`ended ${day(token.revokedAt)}`;
  if (Date.parse(token.expiresAt) <= now.getTime()) return markup`expired`;
  return markup`<form method="post" action="/auth/account/tokens/${token.id}/revoke">${proofField(proof)}<button aria-label="End ${token.name}">End</button></form>`;
}

function day(time: string): Html {
  return markup`<time datetime="${time}">${time.slice(0, 10)}</time>`;
}
