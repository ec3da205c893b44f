import { describe, expect, it } from 'vitest';
import { type EventBlock, eventBlocks } from './event-source.js';
import { CLIENT_LIMITS } from './limits.js';

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function read(text: string, size = 1000): Promise<EventBlock[]> {
  const blocks: EventBlock[] = [];
  for await (const block of eventBlocks(inPieces(text, size))) blocks.push(block);
  return blocks;
}

describe('blocks of server-sent events', () => {
  const stream = 'retry: 3000\nid: a\n\nid: b\nevent: image.push\ndata: {"x":"ä"}\n\n: still here\n\n';
  const blocks = [{ retry: 3000, id: 'a' }, { id: 'b', event: 'image.push', data: '{"x":"ä"}' }, {}];

  it.each([1, 2, 3, 7, 1000])('are the same in pieces of %i bytes', async (size) => {
    expect(await read(stream, size)).toEqual(blocks);
    expect(await read(stream.replaceAll('\n', '\r\n'), size)).toEqual(blocks);
  });

  it('may have data of several lines, no space and no value', async () => {
    expect(await read('data:a\ndata\ndata:  b\n\n')).toEqual([{ data: 'a\n\n b' }]);
  });

  it('are none where the stream ends within one', async () => {
    expect(await read('id: a\n\nid: b\ndata: {}\n')).toEqual([{ id: 'a' }]);
  });

  it('have an end', async () => {
    const endless = `data: ${'x'.repeat(CLIENT_LIMITS.json)}`;
    await expect(read(endless, 1024 * 1024)).rejects.toThrow('has no end');
  });
});
