import { DEFAULT_TAG, type PushReference } from '#libs/core';
import { markup, page } from '#libs/server';

/** How to work with a container, for whoever followed the link that a push or a detached build prints: with the first tag of it. */
export function containerPage({ entity, collection, container, tags }: PushReference): string {
  const path = `${entity}/${collection}/${container}`;
  const [tag = DEFAULT_TAG] = tags;
  const reference = tag === DEFAULT_TAG ? path : `${path}:${tag}`;
  return page(
    `${path} – SCS`,
    markup`<h1>${path}</h1>
<p>A container of this library. Its images are fetched, run and verified on the command line:</p>
<pre>sing pull library://${reference}
sing run library://${reference}
sing verify ${container}_${tag}.sif</pre>
<p>If nothing is found there, it may be private: <a href="/auth/tokens">a token</a> of its owner or of a member is needed.</p>
<p><a href="/">Start page</a></p>`,
  );
}
