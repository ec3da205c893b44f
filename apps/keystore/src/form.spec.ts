import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formField, formPart } from './form.js';

describe('a field of a form', () => {
  it.each([
    ['keytext=abc', 'abc'],
    ['keytext=a%2Bb+c%0A', 'a+b c\n'],
    ['keytext=', ''],
    ['options=nm&keytext=abc&keytext=def', 'abc'],
    ['keytext=100%&x=1', '100%'],
    ['keytext=%zz%4', '%zz%4'],
    ['keytext=a=b', 'a=b'],
    ['keytexts=abc', undefined],
    ['keytext', undefined],
    ['', undefined],
    ['xkeytext=abc', undefined],
  ])('of %j is %j', (body, value) => {
    expect(formField(Buffer.from(body), 'keytext')?.toString('latin1')).toBe(value);
  });

  it('is what was encoded, and nothing else of the body is left', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, other) => {
        const body = Buffer.from(
          new URLSearchParams([
            ['other', other],
            ['keytext', text],
          ]).toString(),
        );
        const field = formField(body, 'keytext');
        expect(field?.toString()).toBe(Buffer.from(text).toString());
        expect(body.subarray(field?.length).every((octet) => octet === 0)).toBe(true);
      }),
    );
  });
});

describe('a part of a form', () => {
  const type = 'multipart/form-data; boundary=xyz';
  const part = (headers: string, content: string): string => `--xyz\r\n${headers}\r\n\r\n${content}\r\n`;
  const keytext = 'Content-Disposition: form-data; name="keytext"';

  it.each([
    ['alone', `${part(keytext, 'abc')}--xyz--\r\n`, 'abc'],
    [
      'of a file',
      `${part(`${keytext}; filename="key.asc"\r\nContent-Type: text/plain`, 'a\r\nb')}--xyz--`,
      'a\r\nb',
    ],
    [
      'behind another',
      `${part('Content-Disposition: form-data; name="a"', '1')}${part(keytext, 'abc')}--xyz--`,
      'abc',
    ],
    ['behind a preamble', `hello\r\n${part(keytext, 'abc')}--xyz--`, 'abc'],
    ['in small letters', `${part('content-disposition: form-data; name=keytext', 'abc')}--xyz--`, 'abc'],
    ['that is empty', `${part(keytext, '')}--xyz--`, ''],
    ['with another name', `${part('Content-Disposition: form-data; name="x"', 'abc')}--xyz--`, undefined],
    ['that is not there', '--xyz--\r\n', undefined],
  ])('%s is read', (_, body, value) => {
    expect(formPart(type, Buffer.from(body), 'keytext')?.toString()).toBe(value);
  });

  it.each([
    ['without a boundary', 'multipart/form-data', `${part(keytext, 'abc')}--xyz--`],
    ['with another boundary', 'multipart/form-data; boundary=abc', `${part(keytext, 'abc')}--xyz--`],
    ['that does not end', type, part(keytext, 'abc')],
    ['that is cut off in its headers', type, `--xyz\r\n${keytext}`],
    ['that is empty', type, ''],
  ])('of a body %s is refused', (_, header, body) => {
    expect(() => formPart(header, Buffer.from(body), 'keytext')).toThrow('multipart/form-data');
  });

  it('is what the form of a browser holds', async () => {
    const form = new FormData();
    form.set('other', 'x');
    form.set('keytext', new Blob(['-----BEGIN\r\n--nothing']), 'key.asc');
    const request = new Response(form);
    const body = Buffer.from(await request.clone().arrayBuffer());
    expect(formPart(request.headers.get('content-type') ?? '', body, 'keytext')?.toString()).toBe(
      '-----BEGIN\r\n--nothing',
    );
  });
});
