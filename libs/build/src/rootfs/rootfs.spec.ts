import { chmod, mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RootTree } from '#libs/core';
import { parseDefinition, type Stage } from '#libs/deffile';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BuildLog } from '../log.js';
import { detectArchitecture, elfArchitecture, hostArchitecture } from './architecture.js';
import { copyHostFiles, copyStageFiles } from './files.js';
import { componentPattern } from './glob.js';
import { buildDate, writeLabels } from './labels.js';
import { inspectMetadata, unsupportedSections, writeMetadata } from './metadata.js';
import { keepHistory, laySkeleton } from './skeleton.js';

let base: string;
let host: RootTree;
let tree: RootTree;
let warnings: string[];
const log: BuildLog = {
  info: () => undefined,
  warning: (message) => warnings.push(message),
  output: () => undefined,
};

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'build-'));
  await mkdir(join(base, 'host/work'), { recursive: true });
  await mkdir(join(base, 'root'));
  host = await RootTree.open(join(base, 'host'));
  tree = await RootTree.open(join(base, 'root'));
  warnings = [];
});
afterEach(() => rm(base, { recursive: true, force: true }));

function stageOf(sections: string): Stage {
  const stage = parseDefinition(`bootstrap: scratch\n${sections}`).stages[0];
  if (stage === undefined) throw new Error('no stage');
  return stage;
}

const text = (path: string) => readFile(join(tree.root, path), 'utf8');

describe('%files of the host', () => {
  const copy = (lines: string, from: RootTree | undefined = host) =>
    copyHostFiles({
      blocks: stageOf(`%files\n${lines}`).files,
      tree,
      host: from && { tree: from, workingDirectory: '/work' },
      stages: new Map(),
      log,
      signal: undefined,
    });

  beforeEach(async () => {
    await mkdir(join(host.root, 'work/dir/sub'), { recursive: true });
    await writeFile(join(host.root, 'work/a'), 'a', { mode: 0o750 });
    await writeFile(join(host.root, 'work/dir/.hidden'), 'h');
    await writeFile(join(host.root, 'work/dir/b'), 'b');
    await symlink('b', join(host.root, 'work/dir/link'));
    await chmod(join(host.root, 'work/a'), 0o750);
  });

  it('83: refuses a pattern without a match, with its line', async () => {
    await expect(copy('missing\n')).rejects.toThrow('no source files found matching: missing (line 3)');
  });

  it('84: copies all matches, hidden files too, into a directory', async () => {
    await copy('dir/* /d/\n');
    expect(await tree.list('d')).toEqual(['.hidden', 'b', 'link', 'sub']);
  });

  it('85: follows all links', async () => {
    await copy('dir /x\n');
    expect((await tree.lstat('x/link'))?.isFile()).toBe(true);
    expect(await text('x/link')).toBe('b');
  });

  it.each([
    ['by a climbing link', () => '../../../secret'],
    ['by an absolute link', () => join(base, 'secret')],
    ['by a link to a directory', () => base],
  ])('never reads outside of what was sent, %s', async (_, target) => {
    await writeFile(join(base, 'secret'), 'of the machine that builds');
    await symlink(target(), join(host.root, 'work/dir/evil'));
    await expect(copy('dir /x\n')).rejects.toThrow('while copying /work/dir/evil');
    await expect(copy('dir/evil /y\n')).rejects.toThrow('no source files found');
    for (const place of ['x/evil', 'y', 'x/evil/secret']) expect(await tree.stat(place)).toBeUndefined();
  });

  it('reads an absolute link as the client would', async () => {
    await symlink('/work/a', join(host.root, 'work/dir/sub/absolute'));
    await copy('dir /x\n');
    expect(await text('x/sub/absolute')).toBe('a');
  });

  it('refuses a link to a directory above it, which has no end', async () => {
    await symlink('..', join(host.root, 'work/dir/sub/up'));
    await expect(copy('dir /x\n')).rejects.toThrow('/work/dir/sub/up: it is a link to a directory above it');
  });

  it('says what is in the way', async () => {
    await tree.write('x', 'a file');
    await expect(copy('dir/sub /x\n')).rejects.toThrow('while copying /work/dir/sub to /x');
    await mkdir(join(tree.root, 'y/dir/b'), { recursive: true });
    await expect(copy('dir /y\n')).rejects.toThrow('while copying /work/dir to /y');
  });

  it('87: confines the destination', async () => {
    await mkdir(join(tree.root, 'etc'));
    await copy('a ../../etc/x\n');
    expect(await text('etc/x')).toBe('a');
  });

  it('88, 89: makes parents, and takes the source path without a destination', async () => {
    await copy('a /new/deep/b\n/work/dir/b\n');
    expect(await text('new/deep/b')).toBe('a');
    expect(await text('work/dir/b')).toBe('b');
    expect((await stat(join(tree.root, 'new/deep/b'))).mode & 0o777).toBe(0o750);
  });

  it('copies a directory into an existing one under its own name', async () => {
    await mkdir(join(tree.root, 'there'));
    await copy('dir there\n');
    expect(await tree.list('there')).toEqual(['dir']);
  });

  it('refuses to read the machine that builds when no context was sent', async () => {
    await expect(
      copyHostFiles({
        blocks: stageOf('%files\na\n').files,
        tree,
        host: undefined,
        stages: new Map(),
        log,
        signal: undefined,
      }),
    ).rejects.toThrow('%files needs files of your machine');
  });

  it('warns of an empty source', async () => {
    await copy('"" /d\n');
    expect(warnings).toEqual(['Attempt to copy file with no name, skipping.']);
  });
});

describe('%files from a stage', () => {
  const copy = (lines: string, stages = new Map([['s', host]])) =>
    copyStageFiles({ blocks: stageOf(lines).files, tree, host: undefined, stages, log, signal: undefined });

  it('52: refuses an unknown stage', async () => {
    await expect(copy('%files from nope\na\n')).rejects.toThrow('stage nope was not found');
  });

  it('86: follows the named item and keeps links inside directories', async () => {
    await mkdir(join(host.root, 'd'));
    await writeFile(join(host.root, 'd/f'), 'f');
    await symlink('f', join(host.root, 'd/inner'));
    await symlink('/d', join(host.root, 'link'));
    await mkdir(join(tree.root, 'opt'));
    await copy('%files from s\n/link /opt/\n');
    expect(await readlink(join(tree.root, 'opt/link/inner'))).toBe('f');
  });

  it('cannot leave the stage', async () => {
    await writeFile(join(base, 'secret'), 'x');
    await symlink(join(base, 'secret'), join(host.root, 'escape'));
    await expect(copy('%files from s\n/escape /x\n')).rejects.toThrow('no source files found');
    await expect(copy('%files from s\n../../secret /x\n')).rejects.toThrow('no source files found');
  });
});

describe('patterns', () => {
  it.each([
    ['*', '.hidden', true],
    ['?.txt', 'a.txt', true],
    ['?.txt', 'ab.txt', false],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    [String.raw`\*`, '*', true],
    [String.raw`\*`, 'a', false],
    ['{a,b}', 'a', false],
    ['a.b', 'axb', false],
    [`${'*'.repeat(100)}x`, 'a'.repeat(255), false],
    ['a**b', 'axyb', true],
    [String.raw`\**`, '*x', true],
  ])('%s against %s', (pattern, name, matches) => {
    expect(componentPattern(pattern).test(name)).toBe(matches);
  });

  it.each(['[a', '[z-a]x'])('%s is refused', (pattern) => {
    expect(() => componentPattern(pattern)).toThrow(`syntax error in pattern: ${pattern}`);
  });
});

describe('the skeleton', () => {
  it('has the directories, scripts and links of every image', async () => {
    await laySkeleton(tree, false);
    expect(await tree.list('.singularity.d')).toEqual(['actions', 'env', 'libs', 'runscript', 'startscript']);
    expect(await readlink(join(tree.root, 'environment'))).toBe('.singularity.d/env/90-environment.sh');
    expect((await stat(join(tree.root, 'tmp'))).mode & 0o7777).toBe(0o1777);
    expect(await text('etc/hosts')).toBe('');
  });

  it('leaves a real file in the way of a link, and replaces a wrong link', async () => {
    await tree.write('singularity', 'mine');
    await tree.link('.run', 'elsewhere');
    await laySkeleton(tree, false);
    expect(await text('singularity')).toBe('mine');
    expect(await readlink(join(tree.root, '.run'))).toBe('.singularity.d/actions/run');
  });

  it('keeps the scripts of a local image only', async () => {
    await tree.write('.singularity.d/runscript', 'mine');
    await laySkeleton(tree, true);
    expect(await text('.singularity.d/runscript')).toBe('mine');
    await laySkeleton(tree, false);
    expect(await text('.singularity.d/runscript')).not.toBe('mine');
  });

  it('99: moves the definition of a base to the history', async () => {
    await tree.write('.singularity.d/Singularity', 'old');
    await keepHistory(tree, 10);
    expect(await text('.singularity.d/bootstrap_history/Singularity0')).toBe('old');
    expect(await tree.lstat('.singularity.d/Singularity')).toBeUndefined();
  });
});

describe('labels', () => {
  const write = (sections: string, force = false) =>
    writeLabels(tree, stageOf(sections), {
      architecture: 'amd64',
      version: '1',
      now: new Date('2026-11-24T05:39:09Z'),
      force,
      log,
    });

  it('95: takes those that %post wrote, and removes the file', async () => {
    await tree.write('.build.labels', 'K v w\n# no\nB\n');
    expect(await write('')).toMatchObject({ K: 'v w', B: '' });
    expect(await tree.lstat('.build.labels')).toBeUndefined();
  });

  it('96: keeps a label of the base unless forced', async () => {
    await tree.write('.singularity.d/labels.json', '{"A":"base"}');
    expect(await write('%labels\nA mine\n')).toMatchObject({ A: 'base' });
    expect(warnings).toEqual(['Label: A already exists and force option is false, not overwriting']);
    expect(await write('%labels\nA mine\n', true)).toMatchObject({ A: 'mine' });
  });

  it('may be called like what every object has', async () => {
    const labels = await write('%labels\nconstructor a\n__proto__ b\n');
    expect(Object.entries(labels)).toEqual(
      expect.arrayContaining([
        ['constructor', 'a'],
        ['__proto__', 'b'],
      ]),
    );
    expect(warnings).toEqual([]);
  });

  it('adds the automatic ones', async () => {
    expect(await write('%help\nh\n')).toMatchObject({
      'org.label-schema.build-date': 'Tuesday_24_November_2026_5:39:9_UTC',
      'org.label-schema.build-arch': 'amd64',
      'org.label-schema.usage': '/.singularity.d/runscript.help',
      'org.label-schema.usage.singularity.deffile.bootstrap': 'scratch',
    });
    expect(buildDate(new Date('2026-01-02T03:04:05Z'))).toBe('Friday_2_January_2026_3:4:5_UTC');
  });
});

describe('metadata', () => {
  it('lands where runtimes look for it, and in the inspect document', async () => {
    await laySkeleton(tree, false);
    const stage = stageOf('%environment\nexport A=b\n%runscript\necho run\n%test\ntrue\n%help\nhelp me\n');
    await writeMetadata(tree, stage, { definition: 'the definition\n', force: false, log });
    expect(await text('.singularity.d/env/90-environment.sh')).toContain('\nexport A=b\n');
    expect(await text('.singularity.d/runscript')).toBe('#!/bin/sh\n\necho run\n');
    const metadata = JSON.parse(await inspectMetadata(tree, { l: 'v' })) as {
      data: { attributes: Record<string, unknown> };
    };
    expect(metadata.data.attributes).toMatchObject({
      labels: { l: 'v' },
      runscript: '#!/bin/sh\n\necho run',
      helpfile: 'help me',
      deffile: 'the definition',
    });
  });

  it('98: keeps the help of a base with a warning', async () => {
    await tree.write('.singularity.d/runscript.help', 'base');
    await writeMetadata(tree, stageOf('%help\nmine\n'), { definition: '', force: false, log });
    expect(await text('.singularity.d/runscript.help')).toBe('base');
    expect(warnings).toHaveLength(1);
  });

  it('names the sections that are not offered', () => {
    expect(unsupportedSections(stageOf('%setup\nx\n%apprun a\nx\n'))).toEqual(['%setup', '%app…']);
    expect(unsupportedSections(stageOf('%post\nx\n'))).toEqual([]);
  });
});

describe('the architecture of a root', () => {
  it('is that of its shell, else that of this machine', async () => {
    expect(await detectArchitecture(tree)).toBe(hostArchitecture());
    const elf = Buffer.alloc(64);
    elf.write('\x7fELF', 'latin1');
    elf[4] = 2;
    elf[5] = 1;
    elf.writeUInt16LE(183, 18);
    await tree.write('usr/bin/sh', elf, 0o755);
    await tree.link('bin', 'usr/bin');
    expect(await detectArchitecture(tree)).toBe('arm64');
    expect(elfArchitecture(Buffer.from('#!/bin/sh\n'.repeat(3)))).toBeUndefined();
  });
});
