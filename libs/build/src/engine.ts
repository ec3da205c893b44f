import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, RootTree } from '#libs/core';
import type { Definition, Stage } from '#libs/deffile';
import { assembleImage, FileAccess } from '#libs/sif';
import { buildFailure } from './failure.js';
import { LIMITS } from './limits.js';
import type { BuildLog } from './log.js';
import { runPost } from './post.js';
import { detectArchitecture, hostArchitecture } from './rootfs/architecture.js';
import { copyHostFiles, copyStageFiles, type HostFiles } from './rootfs/files.js';
import { writeLabels } from './rootfs/labels.js';
import { inspectMetadata, unsupportedSections, writeMetadata } from './rootfs/metadata.js';
import { keepHistory, laySkeleton } from './rootfs/skeleton.js';
import type { BuildNetwork, ContainerRunner, RunBind } from './runner.js';
import type { Base, FetchedBases } from './sources/base.js';
import { fillBase } from './sources/source.js';
import { packSquashfs } from './squashfs.js';
import { runTest } from './test-script.js';

export interface BuildRequest {
  readonly definition: Definition;
  /** Where the image goes; it appears there whole or not at all, and replaces what is there. */
  readonly output: string;
  /** A private directory (0700) on a disk with room for the unpacked image; the build leaves nothing in it. */
  readonly workFolder: string;
  /** Files for `%files`; undefined when this build must not read any. */
  readonly host: HostFiles | undefined;
  readonly bases: FetchedBases;
  readonly runner: ContainerRunner;
  /** What scripts reach. */
  readonly network: BuildNetwork;
  readonly log: BuildLog;
  readonly clock: Clock;
  /** For the label `org.label-schema.usage.singularity.version`. */
  readonly version: string;
  /** Existing labels and help of a base are overwritten. */
  readonly force: boolean;
  readonly runTests: boolean;
  readonly signal: AbortSignal | undefined;
}

export interface BuiltImage {
  readonly path: string;
  readonly size: number;
  /** GOARCH name, from the container's own programs. */
  readonly architecture: string;
}

/**
 * Builds an image from a definition (definition contract §6). Run it where this process may own the files of the image: inside the user namespace
 * that `enterBuild` makes, or as somebody whose images hold nothing but their own files.
 * @throws DomainError `unprocessable` with the step that failed; AbortError when the signal fired. Nothing is left at the output or in the work folder
 */
export async function buildImage(request: BuildRequest): Promise<BuiltImage> {
  const roots = join(request.workFolder, 'stages');
  const squashfs = join(request.workFolder, 'root.squashfs');
  const umask = process.umask();
  try {
    // Scripts and copies run with the stock engine's umask; the image itself with the caller's (SIF contract §4.4).
    process.umask(0o002);
    const { tree, labels, base } = await buildStages(request, roots);
    process.umask(umask);
    request.log.info('Creating SIF file...');
    await packSquashfs(tree.root, squashfs, request.signal);
    const architecture = await detectArchitecture(tree);
    const rootfs = await FileAccess.open(squashfs, 'read');
    try {
      await assembleImage(request.output, {
        definition: request.definition.text,
        metadata: {
          'inspect-metadata.json': await inspectMetadata(tree, labels),
          'oci-config.json': base.ociConfig ?? '',
        },
        rootfs,
        architecture,
        clock: request.clock,
        ...(request.signal !== undefined && { signal: request.signal }),
      });
    } finally {
      await rootfs.close();
    }
    const { size } = await stat(request.output);
    return { path: request.output, size, architecture };
  } finally {
    process.umask(umask);
    await rm(roots, { recursive: true, force: true });
    await rm(squashfs, { force: true });
  }
}

interface FinishedStage {
  readonly tree: RootTree;
  readonly labels: Record<string, string>;
  readonly base: Base;
}

async function buildStages(request: BuildRequest, roots: string): Promise<FinishedStage> {
  const stages = new Map<string, RootTree>();
  let last: FinishedStage | undefined;
  checkStages(request.definition.stages);
  for (const [index, stage] of request.definition.stages.entries()) {
    request.signal?.throwIfAborted();
    const root = join(roots, String(index));
    await mkdir(root, { recursive: true, mode: 0o755 });
    last = await buildStage(stage, await RootTree.open(root), stages, request);
    if (stage.name !== undefined && !stages.has(stage.name)) stages.set(stage.name, last.tree);
  }
  if (last === undefined) throw buildFailure('empty definition file');
  return last;
}

/** Refuses what cannot be built, before anything is fetched or unpacked for it. @throws DomainError */
export function checkStages(stages: readonly Stage[]): void {
  for (const stage of stages) {
    if (stage.header === undefined)
      throw buildFailure('multiple stages detected, all must have headers', {
        remedy: 'Begin every stage, also the only one, with bootstrap: and from:.',
      });
    const [first] = unsupportedSections(stage);
    if (first !== undefined)
      throw buildFailure(`${first} is not offered by this build engine yet`, {
        remedy: first.startsWith('%app')
          ? 'Put its lines into %environment, %post and %runscript, or make an image for each app.'
          : 'It would run outside of the image: do that before the build, and bring the results in with %files.',
      });
  }
}

async function buildStage(
  stage: Stage,
  tree: RootTree,
  stages: ReadonlyMap<string, RootTree>,
  request: BuildRequest,
): Promise<FinishedStage> {
  const { log, signal, runner, network } = request;
  const header = stage.header ?? new Map<string, string>();
  log.info(
    `Starting build${stage.name === undefined ? '' : ` of stage ${stage.name}`} from ${header.get('bootstrap') ?? ''} ${header.get('from') ?? ''}`.trimEnd(),
  );
  const base = await fillBase({
    header,
    tree,
    bases: request.bases,
    architecture: hostArchitecture(),
    log,
    signal,
  });
  await keepHistory(tree, LIMITS.bootstrapHistory);
  await laySkeleton(tree, base.keepSkeleton);
  await base.finish?.();
  const transfer = { blocks: stage.files, tree, host: request.host, stages, log, signal };
  await copyStageFiles(transfer);
  await copyHostFiles(transfer);
  const post = stage.scripts.get('post');
  if (post !== undefined) {
    log.info('Running post scriptlet');
    if (network === 'none') log.info('Scripts reach no network here: the builder is set up so');
    const binds = network === 'none' ? [] : await networkFiles(tree);
    await runPost({ tree, script: post, runner, binds, network, log, signal });
  }
  const architecture = await detectArchitecture(tree);
  const labels = await writeLabels(tree, stage, {
    architecture,
    version: request.version,
    now: request.clock.now(),
    force: request.force,
    log,
  });
  await writeMetadata(tree, stage, { definition: request.definition.text, force: request.force, log });
  if (request.runTests && stage.scripts.has('test')) {
    log.info('Running testscript');
    await runTest(tree, { runner, network }, log, signal);
  }
  return { tree, labels, base };
}

/** The host's resolv.conf and hosts over those of the image, where it has such files (definition contract §6 step 7). */
async function networkFiles(tree: RootTree): Promise<RunBind[]> {
  const binds: RunBind[] = [];
  for (const path of ['/etc/resolv.conf', '/etc/hosts']) {
    const here = await stat(path).catch(() => undefined);
    const there = await tree.stat(path);
    if (here?.isFile() === true && there?.isFile() === true)
      binds.push({ source: path, destination: path, readOnly: true });
  }
  return binds;
}
