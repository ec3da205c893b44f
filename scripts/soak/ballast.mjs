import { closeSync, openSync, statfsSync, writeSync } from 'node:fs';

/** Takes every byte that is left, as another program on the same disk would. The server writes meanwhile: what counts is the refusal. */
export function fillDisk(folder, ballast) {
  const { bsize } = statfsSync(folder);
  const file = openSync(ballast, 'w');
  try {
    for (const piece of [Buffer.alloc(256 * bsize), Buffer.alloc(bsize)]) while (written(file, piece));
  } finally {
    closeSync(file);
  }
}

function written(file, piece) {
  try {
    return writeSync(file, piece) > 0;
  } catch (error) {
    if (error.code === 'ENOSPC') return false;
    throw error;
  }
}
