import { defineCommand } from '#libs/cli';
import { DomainError, expected } from '#libs/core';
import { kindOf, parsePlace, withManagement } from './path.js';

export const libraryRename = defineCommand({
  name: 'rename',
  summary: 'give a container or a collection another name; the old one leads to it for 180 days',
  description:
    'A collection takes its containers along; where that is interrupted, both names work, and the same command finishes it. ' +
    'Entities have the name of their account or organisation.',
  positionals: [
    { name: 'path', summary: 'entity/collection or entity/collection/container' },
    { name: 'name', summary: 'its new name in the same place' },
  ],
  flagsAnywhere: true,
  examples: [
    { line: 'sing library rename alice/tools/blast blast-plus', summary: 'pulls of the old name go on' },
    { line: 'sing library rename alice/tools instruments', summary: 'with all that is in it' },
  ],
  async run(ctx) {
    const path = parsePlace(ctx.args.path);
    const kind = kindOf(path);
    if (kind === 'entity')
      throw new DomainError(
        'bad_request',
        expected('entity/collection or entity/collection/container', 'the path', ctx.args.path),
        { reason: 'invalid_reference', remedy: 'Entities have the name of their account or organisation.' },
      );
    const change = { name: ctx.args.name };
    const { name } = await withManagement(ctx, { change: true }, async (library) =>
      kind === 'collection' ? library.changeCollection(path, change) : library.changeContainer(path, change),
    );
    ctx.log.info(`${path.join('/')} is ${[...path.slice(0, -1), name].join('/')} now.`);
  },
});
