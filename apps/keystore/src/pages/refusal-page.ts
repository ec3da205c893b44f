import { markup, page } from '#libs/server';
import { searchForm } from './search-form.js';

/** Says in a page what went wrong with a look-up, and lets people try another one. */
export function refusalPage(message: string, term: string | undefined): string {
  return page(
    'Keys – SCS',
    markup`<h1>Keys</h1>
<p role="alert">${message}</p>
${searchForm(term)}
<p><a href="/">Start page</a></p>`,
  );
}
