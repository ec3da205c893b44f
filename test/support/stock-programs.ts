import { createHash } from 'node:crypto';
import { cachedProgram } from './cache.js';
import { copyModule, type GoModule, whyNoGo } from './go-tools.js';

/** A program that reads and runs images, as its makers build it. */
interface StockProgram {
  /** Of its folders and files of settings, as its own installation calls them. */
  readonly name: 'apptainer' | 'singularity';
  readonly module: GoModule;
  /** For its `mconfig`. */
  readonly without: readonly string[];
}

const PROGRAMS: readonly StockProgram[] = [
  {
    name: 'apptainer',
    module: {
      path: 'github.com/apptainer/apptainer',
      version: 'v1.4.1',
      sum: 'rkify3P3kwgkAbD1sEI04ZOPvatROgSH/wqr8EFGwZY=',
      modSum: '1eY2CcwfYEBS2PWlZOKlGdsk0G23XOUZL3q3g7hmReM=',
    },
    without: ['suid', 'seccomp', 'libsubid'],
  },
  {
    name: 'singularity',
    module: {
      path: 'github.com/sylabs/singularity/v4',
      version: 'v4.3.2',
      sum: 'kM/CnORZn1G+/dce4+E+eqwF3toDxrlVoz6eQtj6dQU=',
      modSum: 'C2WzPwZiv/YtIS9hXs6wVzhaN4iJiuxvSziq7v1HUS0=',
    },
    without: ['suid', 'seccomp', 'libsubid', 'squashfuse'],
  },
];

/** What is left out needs minutes: plugins for networks, pages of manuals, the builder of OCI images. */
const PARTS = ['config', 'remote_config', 'starter', 'sessiondir', 'capability_config', 'syecl_config'];
const MORE_PARTS = ['seccomp_profile', 'nvidia_liblist', 'rocm_liblist', 'cgroups_config', 'global_keyring'];

/**
 * Folders with `apptainer` and with `singularity` (SingularityCE) as they are installed, built first when they are not in the cache: some minutes
 * of processor each. They look for their parts at /mnt/<name> and nowhere else: have the folder there.
 * @throws Error with what the build printed, or because there is no Go
 */
export async function stockPrograms(): Promise<readonly { name: string; version: string; folder: string }[]> {
  const reason = whyNoGo();
  if (reason !== null) throw new Error(`Expected Go for the stock programs, but ${reason}`);
  const built = [];
  for (const { name, module, without } of PROGRAMS) {
    const script = recipe(name, module, without);
    const key = createHash('sha256').update(script).digest('hex').slice(0, 16);
    built.push({
      name,
      version: module.version.slice(1),
      folder: await cachedProgram(name, `${module.version}-${key}`, script),
    });
  }
  return built;
}

/**
 * A module has no executable files and no history to take its version from. The mark keeps `make` from emptying the cache of Go, for which a
 * folder that nobody had before gives no reason.
 */
function recipe(name: string, module: GoModule, without: readonly string[]): string {
  const targets = [
    name,
    ...(name === 'apptainer' ? ['offsetpreload', 'dmtcp_conf'] : []),
    ...PARTS,
    ...MORE_PARTS,
  ];
  const files = targets.map((target) => `$(${target}_INSTALL)`).join(' ');
  return `${copyModule(module)}
    echo ${module.version.slice(1)} > VERSION
    find mconfig scripts mlocal/scripts makeit -type f -exec chmod +x '{}' +
    ./mconfig ${without.map((part) => `--without-${part}`).join(' ')} --prefix=/mnt/${name}
    touch builddir/.clean-starter
    make -C builddir install DESTDIR="$PWD/../root" INSTALLFILES='${files}'
    cd ..
    mv root/mnt/${name} ${name}`;
}
