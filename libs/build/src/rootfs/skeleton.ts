import type { RootTree } from '#libs/core';
import { STANDARD_ENVIRONMENT } from '#libs/runtime';

const DIRECTORIES = ['dev', 'proc', 'root', 'var', 'var/tmp', 'tmp', 'etc', 'sys', 'home'];
const PRIVATE_DIRECTORIES = [
  '.singularity.d',
  '.singularity.d/actions',
  '.singularity.d/env',
  '.singularity.d/libs',
];
const LINKS: readonly (readonly [path: string, target: string])[] = [
  ['singularity', '.singularity.d/runscript'],
  ['.run', '.singularity.d/actions/run'],
  ['.exec', '.singularity.d/actions/exec'],
  ['.test', '.singularity.d/actions/test'],
  ['.shell', '.singularity.d/actions/shell'],
  ['environment', '.singularity.d/env/90-environment.sh'],
];

/**
 * The scripts that stock runtimes of old read inside the image. Today's runtimes, ours included, bring their own action logic, so these
 * only have to lead somebody who calls them by hand to the right place.
 */
const ACTION = (name: string): string => `#!/bin/sh

for script in /.singularity.d/env/*.sh; do
    if [ -f "$script" ]; then
        . "$script"
    fi
done
${
  {
    exec: 'exec "$@"',
    shell: 'exec /bin/sh "$@"',
    run: 'exec /.singularity.d/runscript "$@"',
    start: 'exec /.singularity.d/startscript "$@"',
    test: '[ -x /.singularity.d/test ] || exit 0\nexec /.singularity.d/test "$@"',
  }[name] ?? ''
}
`;

const FILES: readonly (readonly [path: string, mode: number, content: string])[] = [
  ...['exec', 'run', 'shell', 'start', 'test'].map(
    (name) => [`.singularity.d/actions/${name}`, 0o755, ACTION(name)] as const,
  ),
  ...STANDARD_ENVIRONMENT.map(({ name, content }) => [`.singularity.d/env/${name}`, 0o755, content] as const),
  [
    '.singularity.d/runscript',
    0o755,
    '#!/bin/sh\n\necho "There is no runscript defined for this container."\n',
  ],
  ['.singularity.d/startscript', 0o755, '#!/bin/sh\n'],
];

/**
 * Lays the directories, scripts and links that every image has (definition contract §9). A file of the base in the way of a link is left alone.
 * @param keep existing scripts stay: so it is for a `localimage` base, while all other bases get fresh ones
 */
export async function laySkeleton(tree: RootTree, keep: boolean): Promise<void> {
  for (const directory of [...DIRECTORIES, ...PRIVATE_DIRECTORIES]) {
    if ((await tree.lstat(directory)) === undefined)
      await tree.directory(
        directory,
        directory === 'root' ? 0o700 : directory.endsWith('tmp') ? 0o1777 : 0o755,
      );
  }
  for (const [path, mode, content] of FILES) {
    if (!keep || (await tree.lstat(path)) === undefined) await tree.write(path, content, mode);
  }
  for (const [path, target] of LINKS) {
    const there = await tree.lstat(path);
    if (there === undefined || there.isSymbolicLink()) await tree.link(path, target);
  }
  for (const path of ['etc/hosts', 'etc/resolv.conf']) {
    if ((await tree.lstat(path)) === undefined) await tree.write(path, '', 0o644);
  }
}

/** The earlier definition of a base moves to `bootstrap_history`, numbered by how many are there (definition contract §7). */
export async function keepHistory(tree: RootTree, limit: number): Promise<void> {
  const before = await tree.read('.singularity.d/Singularity', 1024 * 1024);
  if (before === undefined) return;
  const { length } = await tree.list('.singularity.d/bootstrap_history');
  if (length >= limit) return;
  await tree.directory('.singularity.d/bootstrap_history');
  await tree.write(`.singularity.d/bootstrap_history/Singularity${length}`, before);
  await tree.remove('.singularity.d/Singularity');
}
