import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isPrivateSocket } from './private-socket.js';

describe('isPrivateSocket', () => {
  let folder: string;
  let path: string;
  let server: Server;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'scs-socket-'));
    path = join(folder, 's.sock');
    server = createServer().listen(path);
    await once(server, 'listening');
    chmodSync(path, 0o777);
  });
  afterEach(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is so in a folder that is closed to others', () => {
    expect(isPrivateSocket(path)).toBe(true);
    chmodSync(folder, 0o755);
    expect(isPrivateSocket(path)).toBe(false);
    chmodSync(folder, 0o710);
    expect(isPrivateSocket(path)).toBe(false);
  });

  it('is so where the socket itself is closed to others', () => {
    chmodSync(folder, 0o755);
    chmodSync(path, 0o700);
    expect(isPrivateSocket(path)).toBe(true);
  });

  it('is not so where there is nothing', () => {
    expect(isPrivateSocket(join(folder, 'no/s.sock'))).toBe(false);
    chmodSync(folder, 0o755);
    expect(isPrivateSocket(join(folder, 'other.sock'))).toBe(false);
  });

  it.skipIf(process.getuid?.() !== 0)('is not so where it belongs to somebody else', () => {
    const theirs = join(folder, 'theirs');
    mkdirSync(theirs, { mode: 0o700 });
    chownSync(theirs, 12_345, 12_345);
    expect(isPrivateSocket(join(theirs, 's.sock'))).toBe(false);
  });
});
