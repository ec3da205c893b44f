import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { testCache } from './cache.js';
import { lacking } from './needs.js';

const run = promisify(execFile);

/** What a slow mirror may take; some twenty seconds are usual. */
const LONGEST = 180_000;

/** Packages whose versions say whether a tree is still what the machine would install. */
const TELLING = ['apt', 'base-files', 'bash', 'coreutils', 'dpkg', 'libc6', 'perl-base', 'util-linux'];

/**
 * Run by bash in the folder of the cache: `$1` is the folder of the tree in it, `$2` the release, the rest are its sources. A tree that is not what
 * was written is made anew, and those that nobody has asked for in two weeks go. It is the variant minbase without the package usrmerge, which
 * brings all of Perl, and without what only people read, which would be half of the time.
 */
const MAKE = `
set -eu
umask 022
mkdir -p "$1"
if (cd "$1" && sha256sum --status --check sum 2> /dev/null); then touch "$1"; exit 0; fi
rm -f "$1/sum"
work=$(mktemp -d "$1/build-XXXXXX")
trap 'rm -rf "$work"' EXIT
folder=$1 release=$2
shift 2
mmdebstrap --quiet --variant=essential --include=apt,mount,passwd,usr-is-merged \
  --hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr --skip=output/dev --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  "$release" "$work/root.tar" "$@"
mv "$work/root.tar" "$folder/root.tar"
(cd "$folder" && sha256sum root.tar > sum)
find . -maxdepth 1 -name 'debian-*' -mtime +14 -exec rm -rf {} +`;

/** Why there is no Debian for tests here, where there is none; with SING_MUST_WORK=1 that is an error. */
export async function lackingDebian(): Promise<string | undefined> {
  const reason = lacking('mmdebstrap', 'apt-get', 'dpkg-deb', 'flock', 'mksquashfs', 'script');
  if (reason !== undefined) return reason;
  try {
    await debianTree();
    return undefined;
  } catch (error) {
    if (process.env['SING_MUST_WORK'] === '1') throw error;
    return `mmdebstrap could not make it: ${(error as { stderr?: string }).stderr?.slice(-300) ?? String(error)}`;
  }
}

/**
 * The path of a tar archive with a small root file system of the release that runs here, from its own package sources, with its owners and without
 * devices. Made by mmdebstrap once and kept until there are other packages.
 * @throws Error with what mmdebstrap printed
 */
export async function debianTree(): Promise<string> {
  const { id, release } = runningRelease();
  const [sources, versions] = await Promise.all([sourcesOf(release), versionsOf(TELLING)]);
  const key = createHash('sha256')
    .update([MAKE, ...sources, versions].join('\n'))
    .digest('hex')
    .slice(0, 16);
  const name = `debian-${id}-${release}-${key}`;
  await run('mkdir', ['-p', testCache()]);
  await run(
    'flock',
    [join(testCache(), 'debian.lock'), 'bash', '-c', MAKE, 'bash', name, release, ...sources],
    {
      cwd: testCache(),
      timeout: LONGEST,
    },
  );
  return join(testCache(), name, 'root.tar');
}

function runningRelease(): { readonly id: string; readonly release: string } {
  const text = readFileSync('/etc/os-release', 'utf8');
  const value = (name: string): string => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(text)?.[1] ?? '';
  return { id: value('ID'), release: value('VERSION_CODENAME') };
}

/** As lines of sources.list: those of the distribution alone. None where apt has no lists yet; mmdebstrap takes its own then. */
async function sourcesOf(release: string): Promise<string[]> {
  const format = '$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const { stdout } = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const lines = stdout.split('\n').flatMap((line) => {
    const [origin = '', source = ''] = line.split('|');
    const suite = source.split(' ')[2] ?? '';
    return ['Debian', 'Ubuntu'].includes(origin) && suite.startsWith(release) ? [source] : [];
  });
  return [...new Set(lines)].sort();
}

async function versionsOf(packages: readonly string[]): Promise<string> {
  const { stdout } = await run('apt-cache', ['policy', ...packages], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('  Candidate:'))
    .join('\n');
}
