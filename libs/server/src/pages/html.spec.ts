import { expect, it } from 'vitest';
import { markup, page } from './html.js';

it('escapes every value that is put into a page', () => {
  const name = `<script>alert("1")</script>'&`;
  const text = markup`<p title="${name}">${name}</p>`.text;
  expect(text).toBe(
    '<p title="&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;">&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;</p>',
  );
});

it('takes markup as it is, one or a list', () => {
  const items = ['a', '<b>'].map((item) => markup`<li>${item}</li>`);
  expect(markup`<ul>${items}</ul>`.text).toBe('<ul><li>a</li>\n<li>&lt;b&gt;</li></ul>');
});

it('escapes the title of a page', () => {
  expect(page('a</title><script>', markup``)).toContain('<title>a&lt;/title&gt;&lt;script&gt;</title>');
});
