import { markup, page } from '#libs/server';

/** How to work with a container, for whoever followed the link that a push prints. */
export function containerPage(path: string): string {
  return page(
    `${path} – SCS`,
    markup`<h1>${path}</h1>
<p>A container of this library. Its images are fetched, run and verified on the command line:</p>
<pre>sing pull library://${path}
sing run library://${path}
sing verify ${path.split('/').at(-1) ?? ''}_latest.sif</pre>
<p>If nothing is found there, it may be private: <a href="/auth/tokens">a token</a> of its owner or of a member is needed.</p>
<p><a href="/">Start page</a></p>`,
  );
}
