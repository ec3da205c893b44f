import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LevelName, Surroundings } from '#libs/cli';
import { answerCommandLine, becomePlan, bytesOf, systemHost, type Host } from '#libs/runtime';
import { usableTemporaryFolder } from '../folders.js';
import { fetchToFile } from '../image/fetch.js';
import { fileNameOf } from '../image/file-name.js';
import type { FetchRequest } from '../image/found-image.js';
import { globalWords } from './native.js';

/** In front of variables that were set aside on the way to Node (decision 6). */
const KEPT = 'SING_KEPT_';

/**
 * `--disable-cache`: the image is fetched for this run into a file that has no name any more when the container starts, so that nothing of it stays. The launch is
 * planned here, since the open file is all that there is of the image: a path would say nothing to another program.
 * @param words of the verb for an image at this path
 * @returns exit status of a launch that was refused; otherwise this process becomes the container
 */
export async function startUncached(
  place: Surroundings,
  request: FetchRequest,
  words: (path: string) => readonly string[],
): Promise<number> {
  const folder = await mkdtemp(join(await usableTemporaryFolder(place), 'sing-fetched-'));
  let answer;
  try {
    const path = join(folder, await fileNameOf(request.reference));
    await fetchToFile(place, request, { path, overwrite: true });
    answer = answerCommandLine([...globalWords(place.globals), ...words(path)].map(bytesOf), callersHost());
  } finally {
    // The planner has the file open, if it got that far.
    await rm(folder, { recursive: true, force: true });
  }
  if (answer.kind !== 'launch' && answer.kind !== 'print')
    throw new Error(`Expected a launch of the image that was fetched, got ${answer.kind}`);
  for (const { level, text } of answer.messages) say(place, level, textOf(text));
  if (answer.kind === 'launch') return becomePlan(answer.plan);
  if (answer.stderr !== '') process.stderr.write(Buffer.from(answer.stderr, 'latin1'));
  place.out.text(Buffer.from(answer.stdout, 'latin1'));
  return answer.status;
}

/** The host as whoever started the program sees it. */
function callersHost(): Host {
  const host = systemHost();
  return {
    ...host,
    environment: () =>
      host.environment().map((entry) => (entry.startsWith(KEPT) ? entry.slice(KEPT.length) : entry)),
  };
}

const textOf = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

function say({ log }: Surroundings, level: LevelName, text: string): void {
  switch (level) {
    case 'FATAL':
      return log.fatal(text);
    case 'ERROR':
      return log.error(text);
    case 'WARNING':
      return log.warning(text);
    case 'VERBOSE':
      return log.verbose(text);
    case 'DEBUG':
      return log.debug(text);
    case 'INFO':
    case 'LOG':
      return log.info(text);
  }
}
