import { resolve } from 'node:path';
import { defineCommand, jsonFlag, printable } from '#libs/cli';
import { appNamed } from './app.js';
import type { Attributes } from './metadata.js';

const NOTHING: Readonly<Record<string, string>> = {
  deffile: 'No definition file was found in this image',
  helpfile: 'No help sections were defined for this image',
  runscript: 'No runscript was found in this image',
  startscript: 'No startscript was found in this image',
  test: 'No test was found in this image',
};

export const inspect = defineCommand({
  name: 'inspect',
  summary: 'show what an image says about itself',
  description: 'Shows the labels unless something else is asked for. No program of the image runs.',
  positionals: [{ name: 'image', summary: 'SIF, squashfs or ext3 file, or folder' }],
  flags: {
    labels: { type: 'boolean', short: 'l', summary: 'labels (the default)' },
    deffile: { type: 'boolean', short: 'd', summary: 'definition file' },
    runscript: { type: 'boolean', short: 'r', summary: 'what sing run does' },
    startscript: { type: 'boolean', short: 's', summary: 'what instances start' },
    test: { type: 'boolean', short: 't', summary: 'what sing test does' },
    environment: { type: 'boolean', short: 'e', summary: 'scripts that set the environment' },
    helpfile: { type: 'boolean', short: 'H', summary: 'help text' },
    app: { type: 'string', value: 'NAME', summary: 'of an app of the image' },
    'list-apps': { type: 'boolean', summary: 'names of the apps' },
    all: { type: 'boolean', summary: 'everything, as JSON' },
    ...jsonFlag,
  },
  examples: [
    { line: 'sing inspect hello.sif', summary: 'labels' },
    { line: 'sing inspect --deffile hello.sif', summary: 'how it was made' },
    { line: 'sing inspect --all hello.sif', summary: 'everything, for programs' },
  ],
  async run(ctx) {
    const { flags, out, log } = ctx;
    const [{ readAttributes }, { orderedAttributes, sorted }] = await Promise.all([
      import('./metadata-source.js'),
      import('./metadata.js'),
    ]);
    const { encrypted, ...all } = await readAttributes(ctx, resolve(ctx.cwd, ctx.args.image));
    if (encrypted !== undefined)
      log.info(
        `The root file system is encrypted (${encrypted}): what is shown stands beside it, and anybody can read it`,
      );
    // "--all … imply --json"; and it is about the whole image.
    const app = flags.all ? undefined : flags.app;
    const asked = KEYS.filter((key) => flags[key] || flags.all);
    const keys = asked.length === 0 && !flags['list-apps'] ? (['labels'] as const) : asked;
    const of = app === undefined ? all : { ...appNamed(all, app), deffile: all.deffile };
    if (flags.json || flags.all) {
      const wanted = new Set<keyof Attributes>(keys);
      const apps = flags.all || flags['list-apps'];
      const attributes =
        app === undefined
          ? orderedAttributes(all, apps ? new Set([...wanted, 'apps']) : wanted)
          : ofApp(app, orderedAttributes(of, wanted));
      // "JSON {"data":{"attributes":{…}},"type":"container"}" (runtime contract §1.6).
      const kind = encrypted === undefined ? {} : { encrypted };
      out.json({ data: { attributes }, type: 'container', ...kind });
      return;
    }
    if (flags['list-apps']) for (const name of Object.keys(sorted(all.apps ?? {}))) out.line(printable(name));
    for (const key of keys) {
      if (key === 'labels') {
        for (const [name, value] of Object.entries(sorted(of.labels ?? {}))) out.foreign(`${name}: ${value}`);
      } else if (key === 'environment') {
        for (const [path, script] of Object.entries(sorted(of.environment ?? {})))
          out.foreign(`=== ${path} ===\n${script}\n`);
      } else if (of[key] === undefined || of[key] === '') {
        log.info(NOTHING[key] ?? 'Nothing was found in this image');
      } else {
        out.foreign(of[key]);
      }
    }
  },
});

/** In the order in which the stock program prints them. */
const KEYS = ['deffile', 'runscript', 'startscript', 'test', 'helpfile', 'environment', 'labels'] as const;

/** What is asked about an app stands below its name, as in the whole image; the definition is that of the image. */
function ofApp(name: string, { deffile, ...attributes }: Attributes): Attributes {
  return { apps: { [name]: attributes }, ...(deffile === undefined ? {} : { deffile }) };
}
