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

/** Collects the attributes from the files of an image that has no `inspect-metadata.json`. */
export async function attributesFromTree(tree: TreeReader): Promise<Attributes> {
  const text = async (path: string) => (await tree.text(`${FOLDER}/${path}`))?.replace(/\n+$/, '');
  const environment: Record<string, string> = {};
  for (const name of [...(await tree.names(`${FOLDER}/env`))].sort((a, b) => (a < b ? -1 : 1))) {
    // The files that the product itself put there say nothing about the image, apart from these.
    if (!/^(10-docker.*|9\d-environment)\.sh$/.test(name)) continue;
    const script = await text(`env/${name}`);
    if (script !== undefined) environment[`/${FOLDER}/env/${name}`] = script;
  }
  const entries = {
    labels: parseLabels(await text('labels.json')),
    runscript: await text('runscript'),
    startscript: await text('startscript'),
    test: await text('test'),
    helpfile: await text('runscript.help'),
    deffile: await text('Singularity'),
    environment: Object.keys(environment).length === 0 ? undefined : environment,
  };
  return Attributes.parse(
    Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined && value !== '')),
  );
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
