import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { STREAM_LIMITS } from './limits.js';
import { type ByteSource, sendRange } from './sendRange.js';
import { boundUnsent } from './unsent.js';

const MIB = 1024 * 1024;
const file = randomBytes(12 * MIB + 17);
const { block, cutBlock, piece, unsent } = STREAM_LIMITS;

describe('a download', () => {
  let server: Server;
  let source: ByteSource;
  /** What was read, as position and length asked for. */
  let reads: { readonly at: number; readonly length: number }[];
  let outcomes: Promise<'sent' | 'cut'>[];
  let responses: ServerResponse[];

  beforeEach(async () => {
    // Who is quick, and who is slow, is not to depend on what else this machine does.
    vi.useFakeTimers({ toFake: ['performance'] });
    reads = [];
    outcomes = [];
    responses = [];
    source = {
      size: file.length,
      read: async (target, at) => {
        reads.push({ at, length: target.length });
        return file.copy(target, 0, at);
      },
    };
    server = createServer((_request, response) => {
      response.writeHead(200, { 'content-length': file.length });
      responses.push(response);
      outcomes.push(sendRange(response, source, { start: 0, end: file.length - 1 }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    boundUnsent(server, { info: (message: unknown) => expect.fail(String(message)) });
  });

  afterEach(() => {
    vi.useRealTimers();
    server.closeAllConnections();
    server.close();
  });

  const open = (): Socket => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    return socket;
  };
  /** One that takes the beginning and then nothing, in the middle of a block. */
  const openAndStop = async () => {
    const socket = open();
    await once(socket, 'readable');
    return { socket, begun: socket.read() as Buffer };
  };
  const furthest = (): number => Math.max(0, ...reads.map(({ at, length }) => at + length));
  /**
   * Resolves when all have begun and nothing more is read for any: they take nothing, and the system takes nothing for them. Each has bytes
   * that wait for that: without them one that had no turn in a while would pass for one that is still.
   */
  const untilStill = async (begun: number): Promise<void> => {
    await expect.poll(() => outcomes.length).toBe(begun);
    let before = 0;
    const isStill = (): boolean =>
      before === (before = reads.length) &&
      responses.every(({ socket }) => (socket?.writableLength ?? 0) > 0);
    await expect.poll(isStill).toBe(true);
  };
  /** The body of the next answer. @param begun what was taken of it already */
  const next = async (socket: Socket, begun: Buffer = Buffer.alloc(0)): Promise<Buffer> => {
    const chunks: Buffer[] = begun.length > 0 ? [begun] : [];
    let got = begun.length;
    let wanted = Infinity;
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk as Buffer);
      got += (chunk as Buffer).length;
      const [head] = chunks;
      if (wanted === Infinity && head !== undefined) wanted = head.indexOf('\r\n\r\n') + 4 + file.length;
      if (got >= wanted) break;
    }
    return Buffer.concat(chunks).subarray(-file.length);
  };

  it('begins with small blocks, and has large ones on a connection that was quick', async () => {
    const socket = open();
    expect((await next(socket)).equals(file)).toBe(true);
    expect(reads[0]).toEqual({ at: 0, length: cutBlock });
    expect(reads.slice(0, 4).every(({ length }) => length === cutBlock)).toBe(true);
    expect(reads.at(-2)?.length).toBe(block);
    reads = [];
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    expect((await next(socket)).equals(file)).toBe(true);
    expect(reads[0]).toEqual({ at: 0, length: block });
    expect(await Promise.all(outcomes)).toEqual(['sent', 'sent']);
    socket.destroy();
  });

  it('gives its block back when the client does not take a piece, and reads the rest again', async () => {
    const stopped = await Promise.all(Array.from({ length: STREAM_LIMITS.cutBlocks }, openAndStop));
    await untilStill(stopped.length);
    reads = [];
    const other = open();
    expect((await next(other)).equals(file)).toBe(true);
    // If those who take nothing had kept their blocks, there would be none left.
    expect(reads.filter(({ length }) => length <= piece && length > 17)).toEqual([]);
    const [first, ...rest] = stopped;
    expect(first && (await next(first.socket, first.begun)).equals(file)).toBe(true);
    for (const socket of [other, ...stopped.map((one) => one.socket)]) socket.destroy();
    const ended = await Promise.all(outcomes);
    expect(ended.filter((outcome) => outcome === 'cut').length).toBe(rest.length);
  });

  it('reads in order and nothing twice, where the source wants to know it', async () => {
    const told: number[][] = [];
    source = { ...source, expect: (start, end) => void told.push([start, end]) };
    const { socket, begun } = await openAndStop();
    await untilStill(1);
    expect((await next(socket, begun)).equals(file)).toBe(true);
    expect(told).toEqual([[0, file.length - 1]]);
    let position = 0;
    for (const { at, length } of reads) {
      expect(at).toBe(position);
      position += length;
    }
    expect(position).toBe(file.length);
    socket.destroy();
  });

  it('hands the system little that a client does not take', async () => {
    const socket = open();
    await once(socket, 'readable');
    await untilStill(1);
    // 64 KiB wait with the client's system, as much in Node; a block may have been read and not been handed over.
    expect(furthest()).toBeLessThan(unsent + cutBlock + MIB / 2);
    socket.destroy();
    expect(await outcomes[0]).toBe('cut');
  });
});
