import type { RootTree } from '#libs/core';
import { runnableScript, type ScriptSection, type Stage } from '#libs/deffile';
import { LIMITS } from '../limits.js';
import type { BuildLog } from '../log.js';

const HELP = '.singularity.d/runscript.help';
const ENVIRONMENT = '.singularity.d/env/90-environment.sh';
/** What `%post` may append to, as `$SINGULARITY_ENVIRONMENT`. */
export const POST_ENVIRONMENT = '.singularity.d/env/91-environment.sh';

export interface MetadataOptions {
  /** The whole substituted definition: what is stored in the image. */
  readonly definition: string;
  /** An existing help text is replaced. */
  readonly force: boolean;
  readonly log: BuildLog;
}

/** Definition, environment, help and the run, start and test scripts of a stage (definition contract §7). */
export async function writeMetadata(tree: RootTree, stage: Stage, options: MetadataOptions): Promise<void> {
  await tree.write('.singularity.d/Singularity', options.definition, 0o644);
  const environment = stage.scripts.get('environment');
  if (environment !== undefined) {
    const before =
      (await tree.read(ENVIRONMENT, LIMITS.metadataFileBytes))?.toString('utf8') ?? '#!/bin/sh\n';
    await tree.write(ENVIRONMENT, `${before}\n${environment.script}`, 0o755);
  }
  await writeHelp(tree, stage, options);
  for (const name of ['runscript', 'startscript', 'test'] as const) {
    const script = stage.scripts.get(name);
    if (script !== undefined) await tree.write(`.singularity.d/${name}`, runnableScript(script), 0o755);
  }
}

async function writeHelp(tree: RootTree, stage: Stage, options: MetadataOptions): Promise<void> {
  const help = stage.scripts.get('help');
  if (help === undefined) return;
  if (!options.force && (await tree.lstat(HELP)) !== undefined) {
    options.log.warning('Help message already exists and force option is false, not overwriting');
    return;
  }
  await tree.write(HELP, help.script, 0o644);
}

/**
 * `inspect-metadata.json` of the image (SIF contract §4.2): what `sing inspect` shows without starting the container. Empty attributes are left out;
 * texts lose their trailing newlines.
 */
export async function inspectMetadata(tree: RootTree, labels: Record<string, string>): Promise<string> {
  const text = async (path: string) =>
    (await tree.read(path, LIMITS.metadataFileBytes))?.toString('utf8').replace(/\n+$/, '') ?? '';
  const environment: Record<string, string> = {};
  for (const name of await tree.list('.singularity.d/env')) {
    if (name.endsWith('.sh'))
      environment[`/.singularity.d/env/${name}`] = await text(`.singularity.d/env/${name}`);
  }
  const attributes = Object.entries({
    environment,
    labels,
    runscript: await text('.singularity.d/runscript'),
    test: await text('.singularity.d/test'),
    helpfile: await text(HELP),
    deffile: await text('.singularity.d/Singularity'),
    startscript: await text('.singularity.d/startscript'),
  }).filter(([, value]) => (typeof value === 'string' ? value !== '' : Object.keys(value).length > 0));
  return JSON.stringify({ data: { attributes: Object.fromEntries(attributes) }, type: 'container' });
}

/** The sections that a stage of this build engine cannot do; empty when it can do everything. */
export function unsupportedSections(stage: Stage): string[] {
  const hostScripts = (['pre', 'setup'] as const satisfies readonly ScriptSection[]).filter((name) =>
    stage.scripts.has(name),
  );
  return [...hostScripts.map((name) => `%${name}`), ...(stage.apps.length > 0 ? ['%app…'] : [])];
}
