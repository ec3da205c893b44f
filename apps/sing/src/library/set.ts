import { defineCommand, UsageError } from '#libs/cli';
import { changeOf, COMMAND } from './change.js';
import { kindOf, parsePlace, pathPositional, type PlaceKind, withManagement } from './path.js';
import { applyFlags, retentionFlags } from './retention-flags.js';
import { completed } from './whole-rules.js';

export const librarySet = defineCommand({
  name: 'set',
  summary: 'describe an entity, a collection or a container, and say who sees it and what stays',
  description:
    'Changes what is named and nothing else. Writers describe; owners decide who sees it, which tags are protected, which images are kept and who must have signed; quotas come from administrators. ' +
    'A collection that becomes private takes its containers along. A protected tag is set once, and neither moved nor removed. ' +
    'Rules for images take the place of those before; those of an entity hold for containers that have none.',
  positionals: [pathPositional],
  flags: {
    description: { type: 'string', short: 'D', value: 'TEXT', summary: 'what it is for, in a line' },
    readme: {
      type: 'string',
      value: 'FILE',
      summary: 'README of a container, in Markdown; - for standard input',
    },
    private: {
      type: 'boolean',
      summary: 'only members see it; of an entity: what is made in it from now on',
    },
    public: { type: 'boolean', summary: 'everybody sees it' },
    'read-only': { type: 'boolean', summary: 'the container takes no more images' },
    writable: { type: 'boolean', summary: 'the container takes images again' },
    'protect-tag': {
      type: 'list',
      value: 'PATTERN',
      commas: true,
      summary: 'tags that stay, for example v*, of a container or an entity; takes the place of those before',
    },
    'protect-none': { type: 'boolean', summary: 'no tag is protected' },
    ...retentionFlags,
    ...applyFlags,
    'keep-all': { type: 'boolean', summary: 'no image is removed by rules' },
    'signers-push': {
      type: 'list',
      value: 'FINGERPRINT',
      commas: true,
      summary: 'of an entity: one of these keys must have signed what is pushed',
    },
    'signers-pull': {
      type: 'list',
      value: 'FINGERPRINT',
      commas: true,
      summary: 'of an entity: one of these keys must have signed what is pulled',
    },
    'signers-none': {
      type: 'boolean',
      summary: 'nobody has to sign; beside one of the two above: only that one is left',
    },
    quota: {
      type: 'string',
      value: 'BYTES',
      summary: 'of an entity, for example 10G, 0 for no limit; for administrators',
    },
  },
  flagsAnywhere: true,
  examples: [
    {
      line: 'sing library set alice/tools/blast -D "BLAST+" --readme README.md',
      summary: 'what people read about it',
    },
    { line: 'sing library set alice/tools --private', summary: 'with all its containers' },
    { line: 'sing library set alice/tools/blast --protect-tag "v*"', summary: 'releases stay as they are' },
    { line: 'sing library set alice/tools/blast --keep-last 5', summary: 'for: sing library retain' },
    { line: 'sing library set alice --keep-last 5 --apply-daily', summary: 'for all containers, by itself' },
    {
      line: 'sing library set alice --signers-push 7605BC2716168DF057D6C600ACEEC62C8BD91BEE',
      summary: 'nothing else can be pushed',
    },
  ],
  async run(ctx) {
    const path = parsePlace(ctx.args.path);
    const kind = kindOf(path);
    const wanted = await changeOf(ctx, kind, ctx.flags);
    if (Object.keys(wanted).length === 0) throw new UsageError(COMMAND, 'Say what to change');
    await withManagement(ctx, { change: true }, async (library) => {
      const change = await completed(library, path, wanted);
      const send: Record<PlaceKind, () => Promise<unknown>> = {
        entity: () => library.changeEntity(path, change),
        collection: () => library.changeCollection(path, change),
        container: () => library.changeContainer(path, change),
      };
      await send[kind]();
    });
    ctx.log.info(`The ${kind} ${path.join('/')} was changed.`);
  },
});
