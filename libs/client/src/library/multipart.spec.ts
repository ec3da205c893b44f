import { createHash, randomBytes } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DomainError, parseDigest, processName } from '#libs/core';
import { HttpClient } from '../http.js';
import { bodyOf, closeServers, serve } from '../testing/servers.js';
import { uploadMultipart } from './multipart.js';
import { SourceFile } from '../transfer/sourceFile.js';
import { UploadMemory } from './uploadMemory.js';
import type { UploadJob } from './uploads.js';

const PART = 100_000;
const DATA = randomBytes(4 * PART + 5);
const DIGEST = parseDigest(`sha256.${createHash('sha256').update(DATA).digest('hex')}`);

/** A library that takes uploads in parts: ours says which parts it has, others do not. */
class PartServer {
  readonly ours: boolean;
  /** `start`, `part 1`, `complete`, `abort`, each with the upload. */
  readonly log: string[] = [];
  readonly starts: object[] = [];
  readonly uploads = new Map<string, Map<number, Buffer>>();
  stored: Buffer | undefined;
  /** May answer instead, and says so. */
  before: (what: string, response: ServerResponse) => boolean | Promise<boolean> = () => false;
  url = '';

  constructor(ours: boolean) {
    this.ours = ours;
  }

  async open(): Promise<void> {
    this.url = await serve(async (request, response) => {
      const { method, url = '' } = request;
      const [, upload = '', part = ''] = /^\/put\/(\w+)\/(\d+)$/.exec(url) ?? [];
      if (upload !== '') return this.#receive(upload, Number(part), request, response);
      const body = JSON.parse(await bodyOf(request)) as {
        uploadID?: string;
        partNumber?: number;
        completedParts?: { partNumber: number; token: string }[];
      };
      const action = /_multipart_?(\w*)$/.exec(url)?.[1] ?? '';
      const what = action === '' ? (method === 'POST' ? 'start' : `ask ${body.partNumber}`) : action;
      if (what === 'start') this.starts.push(body);
      if (!what.startsWith('ask')) this.log.push(what === 'start' ? what : `${what} ${body.uploadID}`);
      if (await this.before(what, response)) return;
      if (what === 'start') return response.end(JSON.stringify({ data: this.#start(body.uploadID) }));
      const parts = this.uploads.get(body.uploadID ?? '');
      if (parts === undefined) return refuse(response, 406, 'no such upload');
      if (what.startsWith('ask')) {
        const presignedURL = `${this.url}/put/${body.uploadID}/${body.partNumber}`;
        return response.end(JSON.stringify({ data: { presignedURL } }));
      }
      this.uploads.delete(body.uploadID ?? '');
      if (what === 'complete') {
        for (const { partNumber, token } of body.completedParts ?? [])
          if (token !== tokenOf(parts.get(partNumber)))
            return refuse(response, 409, `part ${partNumber} is missing`);
        const whole = Buffer.concat([...parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes));
        if (!whole.equals(DATA)) return refuse(response, 422, 'other bytes', 'wrong_digest');
        this.stored = whole;
      }
      return response.end('{"data":{"quota":{"quotaTotal":0,"quotaUsage":1},"containerUrl":""}}');
    });
  }

  #start(wanted: string | undefined) {
    const known = this.ours && wanted !== undefined && this.uploads.has(wanted) ? wanted : undefined;
    const uploadID = known ?? `u${this.starts.length}`;
    if (known === undefined) this.uploads.set(uploadID, new Map());
    const received = Object.fromEntries(
      [...(this.uploads.get(uploadID) ?? [])].map(([number, bytes]) => [number, tokenOf(bytes)]),
    );
    const options = { s3compliant: 'false', ...(this.ours ? { received: JSON.stringify(received) } : {}) };
    return { uploadID, totalParts: 5, partSize: PART, options };
  }

  async #receive(upload: string, part: number, request: AsyncIterable<Buffer>, response: ServerResponse) {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    this.log.push(`part ${part} ${upload}`);
    if (await this.before(`part ${part}`, response)) return;
    const bytes = Buffer.concat(chunks);
    this.uploads.get(upload)?.set(part, bytes);
    response.writeHead(200, { etag: tokenOf(bytes) }).end();
  }
}

function tokenOf(bytes: Buffer | undefined): string {
  return bytes === undefined ? 'none' : `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function refuse(response: ServerResponse, status: number, message: string, reason?: string): unknown {
  return response
    .writeHead(status)
    .end(JSON.stringify({ error: { code: status, message, ...(reason === undefined ? {} : { reason }) } }));
}

let folder: string;
let memory: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scs-parts-'));
  memory = join(folder, 'memory');
  file = join(folder, 'image.sif');
  await writeFile(file, DATA);
  await mkdir(memory, { mode: 0o700 });
});
afterEach(async () => {
  await closeServers();
  await rm(folder, { recursive: true });
});

interface Sent {
  readonly outcome: unknown;
  readonly anew: DomainError[];
  readonly kept: number[];
}

/** One push of the file. */
async function push(server: PartServer, more: Partial<UploadJob> = {}): Promise<Sent> {
  const http = new HttpClient({ baseUrl: server.url, userAgent: 'test' });
  const source = await SourceFile.open(file);
  const [anew, kept]: [DomainError[], number[]] = [[], []];
  try {
    const outcome = await uploadMultipart({
      http,
      image: 'image1',
      path: 'e/c/n',
      digest: DIGEST,
      source,
      memory,
      onSent: () => undefined,
      onAnew: (error) => anew.push(error),
      onKept: (bytes) => kept.push(bytes),
      retry: { backoff: 1 },
      ...more,
    }).catch((error: unknown) => error);
    return { outcome, anew, kept };
  } finally {
    await source.close();
    await http.close();
  }
}

/** A push that ends when it is about to send a part. */
async function interrupted(server: PartServer, part = 3): Promise<Sent> {
  const stop = new AbortController();
  server.before = (what, response) => {
    if (what !== `ask ${part}`) return false;
    stop.abort(new Error('interrupted'));
    response.destroy();
    return true;
  };
  const sent = await push(server, { retry: { signal: stop.signal } });
  server.before = () => false;
  return sent;
}
const open = async (ours: boolean): Promise<PartServer> => {
  const server = new PartServer(ours);
  await server.open();
  return server;
};
const memoryFile = async (): Promise<string> => join(memory, (await readdir(memory))[0] ?? '');

describe.each([
  ['of ours', true],
  ['of somebody else', false],
])('a push to a library %s', (_, ours) => {
  it('that was interrupted goes on where it was, and forgets then', async () => {
    const server = await open(ours);
    const first = await interrupted(server);
    expect(first.outcome).toMatchObject({ message: 'interrupted' });
    expect(first.kept).toEqual([2 * PART]);
    expect((await stat(await memoryFile())).mode & 0o777).toBe(0o600);
    server.log.length = 0;
    await push(server);
    const rest = ['part 3 u1', 'part 4 u1', 'part 5 u1', 'complete u1'];
    expect(server.log).toEqual(ours ? ['start', ...rest] : rest);
    expect(server.stored?.equals(DATA)).toBe(true);
    expect(await readdir(memory)).toEqual([]);
  });

  it('begins anew, once, when the library knows nothing of the upload any more', async () => {
    const server = await open(ours);
    await interrupted(server);
    server.uploads.clear();
    server.log.length = 0;
    const { anew } = await push(server);
    expect(server.log.filter((line) => line.startsWith('part'))).toHaveLength(5);
    expect(server.log.filter((line) => line === 'start')).toHaveLength(1);
    // Who lists its parts has said so when it was asked.
    expect(anew).toHaveLength(ours ? 0 : 1);
    expect(server.stored?.equals(DATA)).toBe(true);
    expect(await readdir(memory)).toEqual([]);
  });

  it('begins anew when bytes of before were lost', async () => {
    const server = await open(ours);
    await interrupted(server);
    server.uploads.get('u1')?.set(1, Buffer.alloc(PART));
    const lost = tokenOf(Buffer.alloc(PART));
    if (!ours) {
      const path = await memoryFile();
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.replace(tokenOf(DATA.subarray(0, PART)).slice(1, -1), lost.slice(1, -1)));
    }
    const { anew } = await push(server);
    expect(anew).toMatchObject([{ reason: 'wrong_digest' }]);
    expect(server.stored?.equals(DATA)).toBe(true);
  });

  it('does not begin anew again and again', async () => {
    const server = await open(ours);
    await interrupted(server);
    server.before = (what, response) => {
      if (what !== 'complete') return false;
      refuse(response, 422, 'other bytes', 'wrong_digest');
      return true;
    };
    server.log.length = 0;
    expect((await push(server)).outcome).toMatchObject({ reason: 'wrong_digest' });
    expect(server.log.filter((line) => line.startsWith('complete'))).toHaveLength(2);
    expect(await readdir(memory)).toEqual([]);
  });

  it('says that the file was written to meanwhile, instead of sending it again', async () => {
    const server = await open(ours);
    await interrupted(server);
    server.before = async (what, response) => {
      if (what === 'part 5') await writeFile(file, randomBytes(DATA.length));
      if (what !== 'complete') return false;
      refuse(response, 422, 'other bytes', 'wrong_digest');
      return true;
    };
    expect((await push(server)).outcome).toMatchObject({ reason: 'file_changed' });
  });

  it('remembers what another token may go on with', async () => {
    const server = await open(ours);
    server.before = (what, response) => {
      if (what !== 'ask 3') return false;
      refuse(response, 401, 'expired', 'token_expired');
      return true;
    };
    const { outcome, kept } = await push(server);
    expect([outcome, kept]).toEqual([expect.objectContaining({ code: 'unauthorized' }), [2 * PART]]);
    expect(server.log).not.toContain('abort u1');
    server.before = () => false;
    server.log.length = 0;
    await push(server);
    expect(server.log.filter((line) => line.startsWith('part'))).toHaveLength(3);
  });

  it('waits as long as it is told to', async () => {
    const server = await open(ours);
    let refused = 0;
    server.before = (what, response) => {
      if (what !== 'part 2' || refused > 0) return false;
      refused += 1;
      response.setHeader('retry-after', '1');
      refuse(response, 503, 'starting');
      return true;
    };
    const pauses: number[] = [];
    await push(server, { retry: { backoff: 1, onRetry: (_error, { pause }) => pauses.push(pause) } });
    expect(pauses).toEqual([1000]);
    expect(server.stored?.equals(DATA)).toBe(true);
  });
});

describe('an upload that somebody else got hold of', () => {
  it.each(['part_superseded', 'upload_closed'])('%s: is left to them', async (reason) => {
    const server = await open(true);
    let refused = 0;
    server.before = (what, response) => {
      if (what !== 'part 2' || refused > 0) return false;
      refused += 1;
      refuse(response, 409, 'no more', reason);
      return true;
    };
    const { anew } = await push(server);
    expect(anew).toMatchObject([{ reason }]);
    expect(server.starts).toMatchObject([{ resume: true }, { resume: false }]);
    expect(server.log).not.toContain('abort u1');
    expect(server.stored?.equals(DATA)).toBe(true);
  });
});

it('gives up when somebody else gets hold of its uploads again and again', async () => {
  const server = await open(true);
  server.before = (what, response) => {
    if (what !== 'part 2') return false;
    refuse(response, 409, 'no more', 'part_superseded');
    return true;
  };
  expect((await push(server)).outcome).toMatchObject({ reason: 'part_superseded' });
  expect(server.starts).toHaveLength(2);
});

describe('what is remembered of an upload', () => {
  /** A push to a server that does not list its parts: what it goes on with is what is remembered. */
  const sentAfter = async (change: () => Promise<unknown>, server: PartServer): Promise<number> => {
    await interrupted(server);
    await change();
    server.log.length = 0;
    await push(server);
    return server.log.filter((line) => line.startsWith('part')).length;
  };
  const rewrite = (from: RegExp, to: string) => async (): Promise<void> => {
    const path = await memoryFile();
    const text = await readFile(path, 'utf8');
    expect(text).toMatch(from);
    await writeFile(path, text.replace(from, to));
  };
  const dead = processName().replace(/\d+$/, '1');
  const renameTo = (owner: string) => async (): Promise<void> => {
    const path = await memoryFile();
    await rename(path, path.replace(processName(), owner));
  };

  it.each<[string, number, () => Promise<unknown>]>([
    ['left by a process that is gone', 3, renameTo(dead)],
    ['cut off in the middle of a line', 4, rewrite(/\n\{"part":2,[^\n]*\n$/, '\n{"part":2,"to')],
    ['readable for others', 5, async () => chmod(await memoryFile(), 0o640)],
    ['a day old', 5, rewrite(/"begun":\d+/, '"begun":1000000000000')],
    ['of another size', 5, rewrite(/"size":\d+/, '"size":5')],
    ['of another library', 5, rewrite(/"library":"[^"]*"/, '"library":"https://other.example"')],
    ['of another container', 5, rewrite(/"container":"[^"]*"/, '"container":"a/b/c"')],
    ['of another record', 5, rewrite(/"image":"[^"]*"/, '"image":"other"')],
    ['of a form that is not known', 5, rewrite(/"form":1/, '"form":2')],
    ['nonsense', 5, async () => writeFile(await memoryFile(), 'nonsense\n')],
    ['longer than anything', 5, async () => writeFile(await memoryFile(), Buffer.alloc(5 * 1024 * 1024))],
    ['gone', 5, async () => rm(await memoryFile())],
  ])('counts where it is right: %s (%i parts are sent)', async (_, parts, change) => {
    const server = await open(false);
    expect(await sentAfter(change, server)).toBe(parts);
    expect(server.stored?.equals(DATA)).toBe(true);
    expect(await readdir(memory)).toEqual([]);
  });

  it('is not taken from somebody who is at work', async () => {
    // The process that runs the tests of this process.
    const parent = await readFile(`/proc/${process.ppid}/stat`, 'latin1');
    const start = parent.slice(parent.lastIndexOf(')') + 2).split(' ')[19];
    const alive = [...processName().split('-').slice(0, 3), process.ppid, start].join('-');
    const server = await open(false);
    expect(await sentAfter(renameTo(alive), server)).toBe(5);
    expect(await readdir(memory)).toHaveLength(1);
  });

  it('is used once by a process that sends the same file twice at once', async () => {
    const server = await open(true);
    const outcomes = await Promise.all([push(server), push(server)]);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([
      { completion: expect.anything() as unknown },
      { completion: expect.anything() as unknown },
    ]);
    expect(await readdir(memory)).toEqual([]);
  });

  it('is no more than a push needs: it works where nothing can be written', async () => {
    const server = await open(false);
    await push(server, { memory: join(folder, 'nowhere') });
    await push(server, { memory: file });
    expect(server.stored?.equals(DATA)).toBe(true);
  });

  it('ends after a day, and when there is too much of it', async () => {
    const names = Array.from(
      { length: 104 },
      (_, index) => `${String(index).padStart(32, '0')}.${dead}.upload`,
    );
    for (const [index, name] of names.entries()) {
      await writeFile(join(memory, name), '');
      const hours = index < 2 ? 25 : 1 + index / 1000;
      const time = new Date(Date.now() - hours * 3_600_000);
      await utimes(join(memory, name), time, time);
    }
    await push(await open(true));
    expect((await readdir(memory)).toSorted()).toEqual(names.slice(2, 102));
  });

  it('is removed with what it belongs to', async () => {
    const server = await open(false);
    await interrupted(server);
    const key = { library: server.url, container: 'e/c/n', digest: DIGEST, size: DATA.length };
    await UploadMemory.forget(memory, { ...key, container: 'e/c/other' });
    expect(await readdir(memory)).toHaveLength(1);
    await UploadMemory.forget(memory, key);
    expect(await readdir(memory)).toEqual([]);
  });
});
