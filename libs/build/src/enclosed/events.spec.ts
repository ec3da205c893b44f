import { describe, expect, it } from 'vitest';
import { readEvents } from './events.js';

describe('what the enclosed process says', () => {
  let said: string[];
  const log = {
    info: (message: string) => void said.push(`info ${message}`),
    warning: (message: string) => void said.push(`warning ${message}`),
    output: (chunk: Uint8Array) => void said.push(Buffer.from(chunk).toString()),
  };
  async function read(bytes: Buffer, size = bytes.length): Promise<unknown> {
    said = [];
    const chunks = async function* (): AsyncGenerator<Buffer> {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    };
    return (await readEvents(chunks(), log)).outcome;
  }
  const lines = (...events: object[]): Buffer =>
    Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));

  it('arrives whole, however it is cut', async () => {
    const bytes = lines(
      { kind: 'info', message: 'Grüße €' },
      { kind: 'warning', message: '😀' },
      { kind: 'output', base64: Buffer.from('out').toString('base64') },
      { kind: 'built', size: 1, architecture: 'amd64' },
    );
    for (const size of [1, 2, 3, 7, 1000]) {
      expect(await read(bytes, size)).toEqual({ kind: 'built', size: 1, architecture: 'amd64' });
      expect(said).toEqual(['info Grüße €', 'warning 😀', 'out']);
    }
  });

  it('may be nothing', async () => {
    expect(await read(Buffer.from(''))).toBeUndefined();
  });

  it.each([
    ['no JSON', Buffer.from('Segmentation fault\n')],
    ['another event', lines({ kind: 'token', message: 'please' })],
    ['a line without end', Buffer.alloc(2 * 1024 * 1024, 'x')],
  ])('is an error of the build when it is %s', async (_, bytes) => {
    await expect(read(bytes, 64 * 1024)).rejects.toThrow('says what it never should');
  });
});
