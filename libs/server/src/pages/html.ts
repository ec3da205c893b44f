import { createHash } from 'node:crypto';

/** Text that is HTML already; everything else is escaped when it is put into a page. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | string | readonly Html[];

/** A template whose values are escaped unless they are Html. (Not called `html`: the formatter would rewrite its spaces.) */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((text, index) => text + render(parts[index] ?? '')).join(''));
}

function render(part: Part): string {
  if (part instanceof Html) return part.text;
  return typeof part === 'string' ? escape(part) : part.map((one) => one.text).join('\n');
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}

const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
pre { padding: 0.75rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid color-mix(in srgb, currentColor 30%, transparent); border-radius: 0.4rem; }
h1 { line-height: 1.2; }
h2 { margin-top: 2rem; font-size: 1.1rem; }
h1, h2, p, bdi { overflow-wrap: anywhere; }
td, th { padding: 0.1rem 1rem 0.1rem 0; text-align: left; vertical-align: top; font-weight: normal; }
td ul { margin: 0.1rem 0 0.5rem; padding-left: 1.2rem; }
code { overflow-wrap: anywhere; }
time { white-space: nowrap; }
table.wide { width: 100%; border-collapse: collapse; }
table.wide td, table.wide th { padding: 0.4rem 0.8rem 0.4rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
table.wide thead th { font-weight: bold; }
form.stack { display: grid; gap: 0.8rem; max-width: 26rem; }
form[role=search] { max-width: 34rem; }
form.stack label { display: grid; gap: 0.2rem; }
fieldset { display: grid; gap: 0.3rem; border: 1px solid color-mix(in srgb, currentColor 30%, transparent); border-radius: 0.4rem; }
form.stack fieldset label { display: block; }
input, select, button { font: inherit; padding: 0.35rem 0.6rem; }
button { cursor: pointer; justify-self: start; }
[role=alert], [role=status] { padding: 0.6rem 1rem; border-left: 0.3rem solid; }
.bar { display: flex; justify-content: space-between; align-items: center; gap: 1rem; flex-wrap: wrap; }
`;

/** No script, no frame, nothing from elsewhere, forms to ourselves; the one style sheet is named by its hash. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** A whole page. */
export function page(title: string, body: Html): string {
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`.text;
}
