import { z } from 'zod';

const Texts = z.record(z.string(), z.string());
const App = z.object({
  environment: Texts.optional(),
  labels: Texts.optional(),
  runscript: z.string().optional(),
  startscript: z.string().optional(),
  test: z.string().optional(),
  helpfile: z.string().optional(),
});

/** What an image says about itself: `attributes` of its `inspect-metadata.json` (SIF contract §4.2). */
export const Attributes = z.object({
  apps: z.record(z.string(), App).optional(),
  environment: Texts.optional(),
  labels: Texts.optional(),
  runscript: z.string().optional(),
  test: z.string().optional(),
  helpfile: z.string().optional(),
  deffile: z.string().optional(),
  startscript: z.string().optional(),
});
export type Attributes = z.infer<typeof Attributes>;

/** The whole object. */
export const InspectMetadata = z.object({
  data: z.object({ attributes: Attributes }),
  type: z.literal('container'),
});

/** Reads single files of a root tree; undefined for one that is not there. */
export interface TreeReader {
  text(path: string): Promise<string | undefined>;
  /** Names in a folder; empty when it is not there. */
  names(path: string): Promise<readonly string[]>;
}

const FOLDER = '.singularity.d';
const APPS = 'scif/apps';
/** Apps that are looked at: each takes several looks into the image. */
const MOST_APPS = 100;

/** The files that the product itself put into a folder of environment scripts say nothing about the image, apart from these. */
const OWN_ENVIRONMENT = /^(10-docker.*|9\d-environment)\.sh$/;

/** Collects the attributes from the files of an image that has no `inspect-metadata.json`. */
export async function attributesFromTree(tree: TreeReader): Promise<Attributes> {
  const apps: Record<string, unknown> = {};
  for (const name of (await sortedNames(tree, APPS)).slice(0, MOST_APPS))
    apps[name] = present(await commonAttributes(tree, `${APPS}/${name}/scif`));
  return Attributes.parse(
    present({
      apps: Object.keys(apps).length === 0 ? undefined : apps,
      ...(await commonAttributes(tree, FOLDER)),
      deffile: await textOf(tree, `${FOLDER}/Singularity`),
    }),
  );
}

/** What an image and each of its apps have, in a folder of theirs. */
async function commonAttributes(tree: TreeReader, folder: string) {
  const environment: Record<string, string> = {};
  for (const name of await sortedNames(tree, `${folder}/env`)) {
    if (!OWN_ENVIRONMENT.test(name)) continue;
    const script = await textOf(tree, `${folder}/env/${name}`);
    if (script !== undefined) environment[`/${folder}/env/${name}`] = script;
  }
  return {
    environment: Object.keys(environment).length === 0 ? undefined : environment,
    labels: parseLabels(await textOf(tree, `${folder}/labels.json`)),
    runscript: await textOf(tree, `${folder}/runscript`),
    startscript: await textOf(tree, `${folder}/startscript`),
    test: await textOf(tree, `${folder}/test`),
    helpfile: await textOf(tree, `${folder}/runscript.help`),
  };
}

const textOf = async (tree: TreeReader, path: string): Promise<string | undefined> =>
  (await tree.text(path))?.replace(/\n+$/, '');

const sortedNames = async (tree: TreeReader, folder: string): Promise<string[]> =>
  [...(await tree.names(folder))].sort((a, b) => (a < b ? -1 : 1));

/** Without what is not there. */
const present = (values: object): object =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ''));

/**
 * The wanted attributes in the order of the stock program, "omitted when empty" (SIF contract §4.2), names ascending.
 * @param keys of `Attributes`
 */
export function orderedAttributes(attributes: Attributes, keys: ReadonlySet<keyof Attributes>): Attributes {
  return Object.fromEntries(
    ORDER.flatMap((key) => {
      const value = keys.has(key) ? attributes[key] : undefined;
      if (value === undefined || value === '') return [];
      const shown = typeof value === 'string' ? value : sorted<unknown>(value);
      return typeof shown !== 'string' && Object.keys(shown).length === 0 ? [] : [[key, shown]];
    }),
  );
}

const ORDER = [
  'apps',
  'environment',
  'labels',
  'runscript',
  'test',
  'helpfile',
  'deffile',
  'startscript',
] as const satisfies readonly (keyof Attributes)[];

/** A map with its names ascending, as the stock program prints it. */
export function sorted<T>(values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function parseLabels(text: string | undefined): Record<string, string> | undefined {
  if (text === undefined) return undefined;
  try {
    const parsed = Texts.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
