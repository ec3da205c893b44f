import type { RootTree } from '#libs/core';
import type { Stage } from '#libs/deffile';
import { z } from 'zod';
import { LIMITS } from '../limits.js';
import type { BuildLog } from '../log.js';

const PATH = '.singularity.d/labels.json';
/** What `%post` may write `name value` lines into, as `$SINGULARITY_LABELS`. */
export const POST_LABELS = '.build.labels';

const Labels = z.record(z.string(), z.string());

export interface LabelOptions {
  readonly architecture: string;
  readonly version: string;
  readonly now: Date;
  /** `%labels` overwrite existing names. */
  readonly force: boolean;
  readonly log: BuildLog;
}

/** Labels in their order of application (definition contract §7): base, `$SINGULARITY_LABELS`, automatic, `%labels`. */
export async function writeLabels(
  tree: RootTree,
  stage: Stage,
  options: LabelOptions,
): Promise<Record<string, string>> {
  const all = new Map([
    ...Object.entries(await readLabels(tree, options.log)),
    ...(await takePostLabels(tree)),
    ...Object.entries(automatic(stage, options)),
  ]);
  for (const [name, value] of stage.labels) {
    if (all.has(name) && !options.force) {
      options.log.warning(`Label: ${name} already exists and force option is false, not overwriting`);
    } else all.set(name, value);
  }
  const labels = Object.fromEntries(all);
  await tree.write(PATH, `${JSON.stringify(labels, undefined, '\t')}\n`, 0o644);
  return labels;
}

async function readLabels(tree: RootTree, log: BuildLog): Promise<Record<string, string>> {
  const text = await tree.read(PATH, LIMITS.metadataFileBytes);
  if (text === undefined) return {};
  try {
    return Labels.parse(JSON.parse(text.toString('utf8')));
  } catch {
    log.warning(`Ignoring /${PATH} of the base: expected an object of texts`);
    return {};
  }
}

async function takePostLabels(tree: RootTree): Promise<[name: string, value: string][]> {
  const text = (await tree.read(POST_LABELS, LIMITS.metadataFileBytes))?.toString('utf8') ?? '';
  await tree.remove(POST_LABELS);
  const lines = text.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const space = line.indexOf(' ');
      return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1).trim()];
    });
}

function automatic(stage: Stage, options: LabelOptions): Record<string, string> {
  const labels: Record<string, string> = {
    'org.label-schema.schema-version': '1.0',
    'org.label-schema.build-date': buildDate(options.now),
    'org.label-schema.build-arch': options.architecture,
    'org.label-schema.usage.singularity.version': options.version,
  };
  if (stage.scripts.has('help')) {
    labels['org.label-schema.usage'] = '/.singularity.d/runscript.help';
    labels['org.label-schema.usage.singularity.runscript.help'] = '/.singularity.d/runscript.help';
  }
  for (const [key, value] of stage.header ?? [])
    labels[`org.label-schema.usage.singularity.deffile.${key}`] = value;
  return labels;
}

/** `Tuesday_24_November_2026_5:39:9_UTC`: numbers without leading zeros (SIF contract §4.3). */
export function buildDate(now: Date): string {
  const name = (options: Intl.DateTimeFormatOptions) =>
    now.toLocaleString('en-US', { timeZone: 'UTC', ...options });
  const time = [now.getUTCHours(), now.getUTCMinutes(), now.getUTCSeconds()].join(':');
  return `${name({ weekday: 'long' })}_${now.getUTCDate()}_${name({ month: 'long' })}_${now.getUTCFullYear()}_${time}_UTC`;
}
