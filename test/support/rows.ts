import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect } from 'vitest';
import { systemClock } from '#libs/core';
import { assembleImage, FileAccess } from '#libs/sif';
import { makeImage, PROGRAM, type Ended } from './containers.js';
import { makeSquashfs } from './fuse.js';
import { isRoot, tester, type Tester } from './tester.js';

/** More programs than other tests need. */
const MORE = [
  'hostname',
  'head',
  'ln',
  'chmod',
  'mknod',
  'su',
  'tr',
  'df',
  'nproc',
  'sort',
  'cp',
  'mv',
  'basename',
];
/** As GNU's: busybox has it not everywhere. */
const PRINTENV = `#!/bin/sh
status=0
for name; do
  eval "is=\\\${$name+set} value=\\\${$name-}"
  if [ -n "$is" ]; then printf '%s\\n' "$value"; else status=1; fi
done
exit $status
`;
const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'amd64';

export interface ShellOptions {
  readonly as?: 'user' | 'root';
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /**
   * What root does before in a mount namespace of its own, in which files of the machine can be covered by others: nothing of it is seen outside. `$F` is
   * known in it.
   */
  readonly prepare?: string;
}

/**
 * What the rows of the contract are about: a SIF `$I`, the same as a directory `$S` without runscript, and `sing` on the PATH, for an ordinary user. `folder` is
 * readable by everybody and belongs to root; `work` belongs to the user.
 */
export class Scene {
  private constructor(
    readonly user: Tester,
    readonly folder: string,
    readonly work: string,
    readonly sif: string,
    readonly sandbox: string,
  ) {}

  static async create(): Promise<Scene> {
    const user = tester();
    // Not below /tmp: rows are about what of /tmp is seen inside.
    const folder = await mkdtemp('/var/tmp/scs-rows-');
    const sandbox = makeImage(folder);
    complete(sandbox);
    const scene = new Scene(user, folder, join(folder, 'work'), join(folder, 'image.sif'), sandbox);
    mkdirSync(scene.work);
    if (isRoot) chownSync(scene.work, user.uid, user.gid);
    mkdirSync(join(folder, 'scripted'));
    const scripted = makeImage(join(folder, 'scripted'), {
      '.singularity.d/runscript': '#!/bin/sh\necho "run $*"\n',
      '.singularity.d/env/90-environment.sh': '#!/bin/sh\n',
    });
    complete(scripted);
    mkdirSync(join(folder, 'bin'));
    symlinkSync(PROGRAM, join(folder, 'bin/sing'));
    await scene.makeSif('image', scripted);
    return scene;
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** A directory image of its own. `files` are texts, executable for everybody. */
  image(name: string, files: Readonly<Record<string, string>> = {}): string {
    mkdirSync(join(this.folder, name));
    const image = makeImage(join(this.folder, name), files);
    complete(image);
    return image;
  }

  /** A SIF `<name>.sif` with this directory as its root. */
  async makeSif(name: string, directory: string, architecture = ARCHITECTURE): Promise<string> {
    const squashfs = makeSquashfs(directory, join(this.folder, `${name}.sqfs`));
    const rootfs = await FileAccess.open(squashfs, 'read');
    const path = join(this.folder, `${name}.sif`);
    await assembleImage(path, {
      definition: 'bootstrap: localimage\n',
      metadata: {},
      rootfs,
      architecture,
      clock: systemClock,
    });
    await rootfs.close();
    return path;
  }

  /** A singularity.conf of the scene; what it does not say is as built in. */
  configuration(name: string, lines: string): string {
    const path = join(this.folder, `${name}.conf`);
    writeFileSync(path, `bind path = /etc/localtime, /etc/hosts\n${lines}\n`, { mode: 0o644 });
    chmodSync(path, 0o644);
    return path;
  }

  /** The program in an installation of its own, with these files in etc/singularity. Made once; further calls replace files. */
  installation(name: string, files: Readonly<Record<string, string>>): string {
    const root = join(this.folder, name);
    const program = join(root, 'addon/build/sing');
    if (!existsSync(program)) {
      mkdirSync(join(root, 'addon/build'), { recursive: true });
      for (const part of ['sing', 'sh'])
        copyFileSync(join(PROGRAM, '..', part), join(root, 'addon/build', part));
      mkdirSync(join(root, 'etc/singularity'), { recursive: true });
    }
    for (const [file, content] of Object.entries(files))
      writeFileSync(join(root, 'etc/singularity', file), content, { mode: 0o644 });
    return program;
  }

  /** Runs a shell command in which `sing`, `$I`, `$S`, `$W` (the user's own folder) and `$F` (the folder of the scene) are known. */
  async sh(command: string, options: ShellOptions = {}): Promise<Ended> {
    const asRoot = options.as === 'root';
    const script = `${command}\nexit $?`;
    const [program = '', ...words] = this.#words(script, asRoot, options.prepare);
    const child = spawn(program, words, {
      cwd: options.cwd ?? '/',
      env: this.environment(asRoot, options.env),
      ...(isRoot && !asRoot && options.prepare === undefined
        ? { uid: this.user.uid, gid: this.user.gid }
        : {}),
      // A payload that signals its whole group reaches nothing of another test.
      detached: true,
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    const ended = new Promise<Pick<Ended, 'status' | 'signal'>>((settle, fail) => {
      child.once('error', fail);
      child.once('close', (status, signal) => settle({ status, signal }));
    });
    const [stdout, stderr, how] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    return { ...how, stdout, stderr };
  }

  environment(asRoot: boolean, more: ShellOptions['env'] = {}): Record<string, string> {
    return {
      HOME: asRoot ? '/root' : this.user.home,
      PATH: `${join(this.folder, 'bin')}:/usr/sbin:/usr/bin:/sbin:/bin`,
      TERM: 'dumb',
      I: this.sif,
      S: this.sandbox,
      W: this.work,
      F: this.folder,
      ...more,
    };
  }

  #words(script: string, asRoot: boolean, prepare: string | undefined): readonly string[] {
    if (prepare === undefined) return ['sh', '-c', script];
    const { uid, gid } = this.user;
    const who = asRoot ? [] : ['setpriv', '--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
    const set = `set -e\nmount --make-rprivate /\n${prepare}\nexec "$@"`;
    return ['unshare', '--mount', 'sh', '-c', set, 'sh', ...who, 'sh', '-c', script];
  }
}

/** What tests of rows say, each about the scene of its block. */
export interface Rows {
  /** Only inside tests: there is none before. */
  readonly scene: Scene;
  /** As the scene's own. */
  readonly sh: Scene['sh'];
  /** What a command says that works and complains of nothing; without the last newline. */
  readonly output: (command: string, options?: ShellOptions) => Promise<string>;
  /** A command of `sing` ends with 255, says nothing, and complains in these words. */
  readonly refused: (command: string, sentence: RegExp, options?: ShellOptions) => Promise<void>;
  /** `sing` with a configuration of these lines, which the scene keeps as `name`. */
  readonly conf: (name: string, lines: string) => string;
}

/** To be called in a block of tests: they have one scene, made before the first of them and removed behind the last. */
export function useScene(prepare?: (scene: Scene) => Promise<unknown> | void): Rows {
  let made: Scene | undefined;
  const scene = (): Scene => {
    if (made === undefined)
      throw new Error('Expected to be inside a test: the scene is made before the first');
    return made;
  };
  beforeAll(async () => {
    made = await Scene.create();
    await prepare?.(made);
  });
  afterAll(() => made?.remove());
  const sh: Rows['sh'] = (command, options) => scene().sh(command, options);
  return {
    get scene() {
      return scene();
    },
    sh,
    async output(command, options) {
      const { status, stdout, stderr } = await sh(command, options);
      expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: '' });
      return stdout.trimEnd();
    },
    async refused(command, sentence, options) {
      const { status, stdout, stderr } = await sh(command, options);
      expect({ command, status, stdout }).toEqual({ command, status: 255, stdout: '' });
      expect(stderr).toMatch(sentence);
    },
    conf: (name, lines) => `sing -c ${scene().configuration(name, lines)}`,
  };
}

/** Gives a directory image the programs that rows use. */
function complete(image: string): void {
  for (const name of MORE) symlinkSync('busybox', join(image, 'bin', name));
  writeFileSync(join(image, 'bin/printenv'), PRINTENV, { mode: 0o755 });
}
