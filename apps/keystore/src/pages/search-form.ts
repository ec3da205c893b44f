import { type Html, markup } from '#libs/server';

/** Looks keys up; the words of the last search stay in it. */
export function searchForm(term = ''): Html {
  return markup`<form class="stack" method="get" action="/pks/lookup" role="search">
<input type="hidden" name="op" value="index">
<label>Name, e-mail address, key id or fingerprint <input type="search" name="search" value="${term}" required maxlength="512" autocapitalize="none" spellcheck="false"></label>
<button>Find keys</button>
</form>`;
}
