import { APP_SECTIONS, type Definition, type Script, type ScriptSection, type Stage } from './model.js';

/** The parsed form that the builder's API exchanges (builder contract §3.9). Base64 is standard with padding. */
export interface DefinitionJson {
  readonly header: Record<string, string>;
  readonly imageData: {
    readonly metadata: null;
    readonly labels: Record<string, string>;
    readonly imageScripts: Record<
      'help' | 'environment' | 'runScript' | 'test' | 'startScript',
      { args: string; script: string }
    >;
  };
  readonly buildData: {
    readonly files: readonly { args: string; files: readonly { source: string; destination: string }[] }[];
    readonly buildScripts: Record<'pre' | 'setup' | 'post' | 'test', { args: string; script: string }>;
  };
  readonly customData: Record<string, string> | null;
  readonly raw: string;
  readonly fullraw: string;
  readonly appOrder: readonly string[];
}

/** The last stage of a definition, which is the one that becomes the image, as JSON. */
export function toDefinitionJson(definition: Definition): DefinitionJson {
  const stage = definition.stages.at(-1);
  if (stage === undefined) throw new RangeError('a parsed definition has at least one stage');
  const script = (name: ScriptSection) => plain(stage.scripts.get(name));
  return {
    header: Object.fromEntries(stage.header ?? []),
    imageData: {
      metadata: null,
      labels: Object.fromEntries(stage.labels),
      imageScripts: {
        help: script('help'),
        environment: script('environment'),
        runScript: script('runscript'),
        test: script('test'),
        startScript: script('startscript'),
      },
    },
    buildData: {
      files: definition.stages
        .flatMap((each) => each.files)
        .map(({ args, files }) => ({
          args,
          files: files.map(({ source, destination }) => ({ source, destination })),
        })),
      buildScripts: {
        pre: script('pre'),
        setup: script('setup'),
        post: script('post'),
        test: script('test'),
      },
    },
    customData: customData(stage),
    raw: Buffer.from(stage.text).toString('base64'),
    fullraw: Buffer.from(definition.text).toString('base64'),
    appOrder: stage.apps.map((app) => app.name),
  };
}

const plain = (script: Script | undefined) => ({ args: script?.args ?? '', script: script?.script ?? '' });

function customData(stage: Stage): Record<string, string> | null {
  if (stage.apps.length === 0) return null;
  const entries = stage.apps.flatMap((app) =>
    APP_SECTIONS.flatMap((kind): [string, string][] => {
      const script = app.sections.get(kind);
      return script === undefined ? [] : [[`${kind} ${app.name}`, script.script]];
    }),
  );
  return Object.fromEntries(entries);
}
