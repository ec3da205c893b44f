import { markup, page } from '#libs/server';

const FOCUS = markup` autofocus`;
const NOTHING = markup``;

/** Asks for user name and password; `refusal` says why the last try was refused. */
export function signInPage({ username = '', refusal }: { username?: string; refusal?: string }): string {
  return page(
    'Sign in – SCS',
    markup`<h1>Sign in</h1>
${refusal === undefined ? NOTHING : markup`<p role="alert">${refusal}</p>`}
<form class="stack" method="post" action="/auth/sign-in">
<label>User name <input name="username" value="${username}" autocomplete="username" autocapitalize="none" spellcheck="false" required${username === '' ? FOCUS : NOTHING}></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required${username === '' ? NOTHING : FOCUS}></label>
<button>Sign in</button>
</form>
<p><a href="/">Start page</a></p>`,
  );
}
