import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** What the descriptors of a process lead to. */
export function descriptorsOf(pid) {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).map((name) => {
    try {
      return readlinkSync(join(folder, name));
    } catch {
      return 'gone';
    }
  });
}

/** Ids of all processes below `root`, without it. */
export function processesBelow(root) {
  const found = [root];
  for (const pid of found)
    for (const task of listOr(`/proc/${pid}/task`))
      found.push(...childrenOf(`/proc/${pid}/task/${task}/children`));
  return found.slice(1);
}

/** Command line of a process; empty when it is gone. */
export function commandOf(pid) {
  return textOr(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
}

const childrenOf = (file) => textOr(file).split(' ').filter(Boolean).map(Number);

function listOr(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOr(file) {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
