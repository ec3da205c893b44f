import { writeArmor } from '#libs/pgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, CREATED, makeKey, Owner, uint } from '../../libs/pgp/src/testing/maker.js';
import { hkpWorld, type HkpWorld } from '../http/keystore/hkp-world.js';
import { BROWSER, type Page, startBrowser } from '../support/browser.js';
import { lacking, skipped } from '../support/needs.js';

/* The pages of the keystore in a browser as it is: what a page says of itself in a test of HTTP may be read in another way there. */

const noBrowser = lacking(BROWSER);

describe.skipIf(noBrowser)(`the pages of the keystore${skipped(noBrowser)}`, () => {
  const [ann, gone] = [new Owner(), new Owner('rsa1024')];
  const HOSTILE = [
    '<script>alert(1)</script>',
    '<img src=/x onerror=alert(2)>',
    '"><svg onload=alert(3)>',
    "'-alert(4)-'",
    '</bdi></td></table></section></main><iframe src=//example.org></iframe>',
    '<a href=javascript:alert(5)>x</a><form action=//example.org><button>y',
    '<base href=//example.org><link rel=stylesheet href=//example.org/x.css><style>body{display:none}</style>',
    '<meta http-equiv=refresh content="0;url=//example.org">',
    '\u001b[2J evil\u202egpj.exe',
  ];
  const LONG = `${'very.'.repeat(40)}long@${'institute.'.repeat(15)}example.org`;
  const hex = ann.key.facts.fingerprint.toUpperCase();
  const TAGS = [
    'a',
    'bdi',
    'br',
    'button',
    'code',
    'form',
    'h1',
    'h2',
    'input',
    'label',
    'li',
    'p',
    'section',
    'strong',
    'table',
    'tbody',
    'td',
    'th',
    'time',
    'tr',
    'ul',
  ];

  let world: HkpWorld;
  let page: Page;
  beforeAll(async () => {
    world = await hkpWorld();
    const names = [...HOSTILE, `Ann Page <${LONG}>`];
    await world.added(
      writeArmor(
        bytesOf([
          ann.primary,
          ...names.flatMap((name, at) => ann.userId(name, { created: CREATED + at })),
          ...ann.signingSubkey(makeKey('ed25519Legacy')),
          ...ann.encryptionSubkey({ hashed: [[9, uint(86_400, 4)]] }),
        ]),
      ),
    );
    await world.added(writeArmor(bytesOf([gone.primary, gone.sign(0x20), ...gone.userId('Gone Page')])));
    page = await startBrowser(world.app);
  }, 60_000);
  afterAll(async () => {
    await page.stop();
    await world.stop();
  });

  const text = (selector: string): Promise<unknown> =>
    page.evaluate(
      `[...document.querySelectorAll(${JSON.stringify(selector)})].map((one) => one.textContent)`,
    );
  const search = (operation: string, term: string): string =>
    `${world.app.url}/pks/lookup?op=${operation}&search=${encodeURIComponent(term)}`;
  const pages = (): string[] => [
    `${world.app.url}/pks/stats`,
    search('index', 'page'),
    search('vindex', `0x${hex}`),
    search('index', '<script>alert(1)</script>'),
    search('index', '"><img src=x onerror=alert(1)>'),
    search('index', '0x"><b>'),
    search('index', 'nobodyatall'),
    search('hget', 'x'),
  ];

  it('cause no violation of their policy, no error, no dialog, and ask nobody else', async () => {
    for (const url of pages()) {
      const { faults, requests } = await page.open(url);
      expect([url, faults]).toEqual([url, []]);
      expect(requests.length).toBeGreaterThan(0);
      for (const request of requests) expect(new URL(request).origin).toBe(world.app.url);
      expect(await page.evaluate('location.href')).toBe(url);
      // The one style sheet is taken: its hash in the policy is right.
      expect(await page.evaluate("getComputedStyle(document.querySelector('form')).display")).toBe('grid');
    }
  });

  it('39: show names of keys as text, whatever is in them', async () => {
    for (const operation of ['index', 'vindex']) {
      await page.open(search(operation, `0x${hex}`));
      const shown = (await text('td bdi')) as string[];
      for (const name of HOSTILE.slice(0, -1)) expect(shown).toContain(name);
      expect(shown).toContain(String.raw`\u{1b}[2J evil\u{202e}gpj.exe`);
      const tags = await page.evaluate(
        "[...new Set([...document.querySelectorAll('main *')].map((one) => one.localName))].sort()",
      );
      expect(TAGS).toEqual(expect.arrayContaining(tags as string[]));
      expect(
        await page.evaluate(
          "document.querySelectorAll('script, iframe, base, link, object, [onerror], [onload]').length",
        ),
      ).toBe(0);
      const targets = (await page.evaluate(
        "[...document.querySelectorAll('a, form')].map((one) => new URL(one.href ?? one.action).origin)",
      )) as string[];
      expect(new Set(targets)).toEqual(new Set([world.app.url]));
    }
  });

  it('let nothing run, even if something got in', async () => {
    const { faults } = await page.open(search('index', 'page'));
    expect(faults).toEqual([]);
    // The policy holds for what is put into the page later, too.
    await page.evaluate(`new Promise((resolve) => {
      const left = new Set(['img-src', 'style-src-attr', 'script-src-attr', 'script-src-elem']);
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
        left.delete(effectiveDirective);
        if (left.size === 0) resolve();
      });
      document.body.insertAdjacentHTML('beforeend', '<img src=/x onerror="globalThis.got = 1"><p style="color: red">x</p>');
      const script = document.createElement('script');
      script.textContent = 'globalThis.got = 1';
      document.body.append(script);
    })`);
    expect(await page.evaluate('globalThis.got')).toBeUndefined();
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.join('\n')).toContain('script-src');
  });

  it('lead from a search to a key and to its file', async () => {
    await page.open(`${world.app.url}/pks/stats`);
    const submitted = `document.querySelector('input[name=search]').value = 'Page'; document.forms[0].requestSubmit();
      new Promise((resolve) => addEventListener('pagehide', resolve))`;
    void page.evaluate(submitted).catch(() => undefined);
    await expect
      .poll(() =>
        page.evaluate(
          "document.readyState === 'complete' && (document.querySelector('[role=status]')?.textContent ?? '')",
        ),
      )
      .toMatch(/^2 keys\./);
    expect(await page.evaluate('document.querySelector("input[name=search]").value')).toBe('Page');
    expect(await text('h2')).toEqual([expect.any(String), 'Gone Page (revoked)']);
    const links = (await page.evaluate(
      "[...document.querySelectorAll('section a')].map((one) => one.href)",
    )) as string[];
    expect(links[1]).toContain('op=vindex');
    const { downloads, faults } = await page.open(links[0] ?? '');
    expect([downloads, faults]).toEqual([[`0x${hex}.asc`], []]);
  });

  it.each([320, 480, 1200])('fit into a window of %i pixels', async (width) => {
    for (const url of pages()) {
      await page.open(url);
      await page.picture(width, 800);
      const [content, window] = (await page.evaluate(
        '[document.documentElement.scrollWidth, innerWidth]',
      )) as number[];
      expect([url, content]).toEqual([url, window]);
    }
  });
});
