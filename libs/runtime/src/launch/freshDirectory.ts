import type { Facts } from '../facts.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import { absolutePath } from '../paths.js';
import type { SessionPath, Source } from '../plan.js';
import { refusal } from '../refusal.js';
import type { MountList } from './mountList.js';

/** Where a directory for this launch lies: in the session, or under this name in the folder of `--workdir`. */
export interface FreshPlace {
  readonly session: SessionPath;
  readonly inWorkdir: SessionPath;
}

/**
 * A directory that begins empty and belongs to this launch: in the session, or, with `--workdir`, a folder of the caller that stays behind (runtime contract
 * §2.6). There it is made with `mode` when it is missing; a link in its place is refused by the executor.
 */
export function freshDirectory(
  list: MountList,
  options: LaunchOptions,
  facts: Facts,
  place: FreshPlace,
  mode: number,
): Source {
  if (options.workdir === null) {
    list.directory(place.session, mode);
    return { kind: 'session', path: place.session };
  }
  const parent = absolutePath(facts.workingDirectory, options.workdir);
  if (facts.paths.get(parent)?.type !== 'directory')
    throw refusal(`the folder of --workdir, ${parent}, is no directory that is there`);
  return { kind: 'made', parent, path: place.inWorkdir, mode };
}
