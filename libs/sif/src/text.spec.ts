import { describe, expect, it } from 'vitest';
import { sifFixture, siftoolTexts } from '../../../test/support/sif-fixtures.js';
import { MemoryAccess } from './access/memory.js';
import { readSif } from './read.js';
import { objectById } from './select.js';
import { headerText, infoText, listText } from './text.js';

const read = async (name: string) => readSif(new MemoryAccess(sifFixture(name)));

describe('text of sif list, header and info', () => {
  it.each(siftoolTexts().filter(([name]) => !name.includes('control')))(
    'is for %s what siftool prints',
    async (name, texts) => {
      const image = await read(name);
      expect(listText(image)).toBe(texts.list);
      expect(headerText(image)).toBe(texts.header);
      for (const [id, text] of Object.entries(texts.info))
        expect(infoText(objectById(image, Number(id)))).toBe(text);
    },
  );

  it('escapes what a terminal would obey', async () => {
    const image = await read('hostile/name-control-and-invalid-utf8.sif');
    const text = image.descriptors.map(infoText).join('');
    expect(text).toContain('\\x1b');
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  it('ends the row of a signature with an unknown hash', async () => {
    const image = await read('hostile/signature-hashtype-0.sif');
    expect(listText(image)).toMatch(/\|Signature \(unsupported hash\)\n$/);
    expect(() => infoText(objectById(image, 4))).toThrow('hash algorithm unsupported');
  });

  it('refuses the info of a malformed OCI digest', async () => {
    const image = await read('hostile/oci-blob-digest-malformed.sif');
    expect(() => infoText(objectById(image, 4))).toThrow('Expected a sha256 digest for object 4');
  });
});
