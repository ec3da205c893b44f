import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { FileAccess, createSif, DataType, FileSystem, PartitionType } from '#libs/sif';
import { systemClock } from '#libs/core';
import { ordinaryId, PROGRAM, type Ended } from './containers.js';
import { commandWithFuse, ENVIRONMENT, serverIdle } from './fuse.js';

/** Gives a file or directory to the ordinary user. */
export function give(path: string): string {
  if (process.getuid?.() === 0) chownSync(path, ordinaryId(), ordinaryId());
  return path;
}

/** An ext3 image of 64 MiB with these directories (and what is in `tree`), which belong to the ordinary user, as the image does. */
export function makeExt3(image: string, directories: readonly string[], tree = `${image}.tree`): string {
  mkdirSync(tree, { recursive: true });
  for (const name of directories) {
    mkdirSync(`${tree}/${name}`);
    give(`${tree}/${name}`);
  }
  const owner = `root_owner=${ordinaryId()}:${ordinaryId()}`;
  execFileSync('/sbin/mke2fs', ['-q', '-F', '-t', 'ext3', '-E', owner, '-d', tree, image, '64M'], {
    stdio: 'ignore',
  });
  chmodSync(image, 0o644);
  return give(image);
}

/** A SIF file of the ordinary user with these partitions: files by their kind. The first squashfs is the root file system. */
export async function makeSif(
  image: string,
  parts: readonly { readonly file: string; readonly kind: 'primary' | 'overlay' | 'data' }[],
): Promise<string> {
  const opened = await Promise.all(parts.map(({ file }) => FileAccess.open(file, 'read')));
  const access = await FileAccess.open(image, 'create', 0o644);
  await createSif(access, {
    objects: parts.map(({ file, kind }, index) => ({
      type: DataType.partition,
      data: opened[index] ?? Buffer.of(),
      extra: {
        kind: 'partition',
        partition: {
          fileSystem: file.endsWith('.sqfs') ? FileSystem.squashfs : FileSystem.ext3,
          type: PartitionType[kind],
          architecture: 'amd64',
        },
      },
    })),
    clock: systemClock,
  });
  for (const one of [access, ...opened]) await one.close();
  return give(image);
}

/** What any process still has of the images in this folder: mounts, also in namespaces of their own, and loop devices. */
export function mountsOf(folder: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
      if (mounts.includes(folder))
        found.push(`${pid} ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} has it mounted`);
    } catch {
      // It ended, or is not ours to look at.
    }
  }
  return [...found, ...loopsOf(folder)];
}

/** The loop devices that show images in this folder, each as a sentence that begins with its name. */
export function loopsOf(folder: string): string[] {
  return readdirSync('/sys/block').flatMap((name) => {
    try {
      const file = readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8');
      return file.startsWith(folder) ? [`${name} shows ${file.trim()}`] : [];
    } catch {
      // It is no loop device, or is free, perhaps since a moment.
      return [];
    }
  });
}

export interface Held {
  readonly pid: number;
  /** Lets the container end, or kills who started it. */
  end(signal?: NodeJS.Signals): Promise<Pick<Ended, 'status' | 'signal'>>;
}

/** Starts a container that says when it is up, and stays until it is ended. */
export async function holdContainer(
  folder: string,
  words: readonly string[],
  script = 'true',
): Promise<Held> {
  const [program = '', ...args] = commandWithFuse(folder, 'open', [
    ...serverIdle(folder, 0),
    ...words,
    'sh',
    '-c',
    `${script}; echo up; cat`,
  ]);
  const child = spawn(program, args, { cwd: '/', env: ENVIRONMENT, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<Pick<Ended, 'status' | 'signal'>>((settle) => {
    child.once('close', (status, signal) => settle({ status, signal }));
  });
  const lines = createInterface(child.stdout);
  await new Promise<void>((settle, fail) => {
    lines.once('line', () => settle());
    lines.once('close', () => fail(new Error('Expected a container that is up, got one that ended')));
  });
  return {
    pid: child.pid ?? -1,
    end: (signal) => {
      if (signal === undefined) child.stdin.end();
      else child.kill(signal);
      return ended;
    },
  };
}

/** Has the program execute a plan whose images, in the order of its steps, are these files, whatever the plan says of them. */
export function executePlan(
  file: string,
  plan: string,
  images: readonly string[],
): Pick<Ended, 'status' | 'stderr'> {
  // Descriptors behind the standard streams and the plan itself.
  let handle = 3;
  writeFileSync(
    file,
    plan.replaceAll(/"handle": \d+/g, () => `"handle": ${(handle += 1)}`),
  );
  const opened = [openSync(file, 'r'), ...images.map((path) => openSync(path, 'r+'))];
  const { status, stderr } = spawnSync(PROGRAM, ['--execute-plan', '3'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', ...opened],
  });
  for (const descriptor of opened) closeSync(descriptor);
  return { status, stderr };
}

/** The processes that have this file open, each as its number and its name: who serves an image is there longer than its mount, and writes. */
export function openersOf(image: string): string[] {
  const { dev, ino } = statSync(image);
  const isImage = (path: string): boolean => {
    try {
      const file = statSync(path);
      return file.dev === dev && file.ino === ino;
    } catch {
      // It is closed, or no file.
      return false;
    }
  };
  return readdirSync('/proc').flatMap((pid) => {
    try {
      const isOpener =
        /^\d+$/.test(pid) && readdirSync(`/proc/${pid}/fd`).some((fd) => isImage(`/proc/${pid}/fd/${fd}`));
      return isOpener ? [`${pid} ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()}`] : [];
    } catch {
      // It ended.
      return [];
    }
  });
}

/** The status file of the process of this name that has the image open; the text is for matching. */
export function statusOfServer(name: string, image: string): string {
  const found = openersOf(image).find((one) => one.split(' ')[1] === name);
  if (found === undefined) throw new Error(`Expected ${name} to serve ${image}, got no such process`);
  return readFileSync(`/proc/${found.split(' ')[0]}/status`, 'utf8');
}
