import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseYaml, printYaml, type YamlMap } from './yaml.js';

// As the stock program writes it.
const STOCK = `Active: lab
Remotes:
  SylabsCloud:
    URI: cloud.sylabs.io
    System: true
    Exclusive: false
    Insecure: false
  lab:
    URI: //127.0.0.1:8443/sub
    Token: eyJhbGciOi.x-y_z
    System: false
    Exclusive: false
    Insecure: true
    Keyservers:
    - URI: https://keys.example.org
      Skip: false
      External: true
    - URI: "hkps://other:8443"
Credentials:
- URI: docker://docker.io
  Auth: 'Basic it''s=='
Empty: {}
None: []
Nothing:
`;

describe('YAML as remote.yaml has it', () => {
  it('is read', () => {
    expect(parseYaml(STOCK)).toEqual({
      Active: 'lab',
      Remotes: {
        SylabsCloud: { URI: 'cloud.sylabs.io', System: 'true', Exclusive: 'false', Insecure: 'false' },
        lab: {
          URI: '//127.0.0.1:8443/sub',
          Token: 'eyJhbGciOi.x-y_z',
          System: 'false',
          Exclusive: 'false',
          Insecure: 'true',
          Keyservers: [
            { URI: 'https://keys.example.org', Skip: 'false', External: 'true' },
            { URI: 'hkps://other:8443' },
          ],
        },
      },
      Credentials: [{ URI: 'docker://docker.io', Auth: "Basic it's==" }],
      Empty: {},
      None: [],
      Nothing: null,
    });
  });

  it('is written so that it reads the same', () => {
    const document = parseYaml(STOCK);
    expect(parseYaml(printYaml(document))).toEqual(document);
  });

  it('is read back whatever the texts are', () => {
    const text = fc.string({ unit: 'grapheme' });
    const value = fc.letrec<{ value: never }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        text,
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(text, tie('value'), { maxKeys: 3 }),
      ) as never,
    })).value;
    fc.assert(
      fc.property(fc.dictionary(text, value), (document) => {
        const plain = JSON.parse(JSON.stringify(document)) as YamlMap;
        expect(parseYaml(printYaml(plain))).toEqual(plain);
      }),
    );
  });

  it('may be empty, and may have comments', () => {
    expect(parseYaml('')).toEqual({});
    expect(parseYaml('# nothing\n---\n{}\n')).toEqual({});
    expect(parseYaml('Active: lab # the one in use\n')).toEqual({ Active: 'lab' });
  });

  it.each([
    ['a: b\na: c\n', 'Line 2 has the key a twice'],
    ['a:\n\t- b\n', 'Line 2 has a tab in front'],
    ['a: |\n  text\n', 'Line 1 has a form that is not understood'],
    ['a: {b: c}\n', 'Line 1 has a form that is not understood'],
    ['a: &x b\n', 'Line 1 has a form that is not understood'],
    ["a: 'b\n", 'Line 1 has a quoted text that is not closed'],
    ['just text\n', 'Line 1 has no "key: value"'],
    ['a:\n    b: c\n  d: e\n', 'Line 3 has an indent that fits nothing'],
    ['- a\n', 'Line 1 has no mapping'],
  ])('%j is refused by line', (text, message) => {
    expect(() => parseYaml(text)).toThrow(message);
  });

  it('is refused when it is nested without end', () => {
    const deep = Array.from({ length: 100 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n');
    expect(() => parseYaml(deep)).toThrow('too many levels');
  });
});
