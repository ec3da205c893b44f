import { defineCommand, jsonFlag } from '#libs/cli';
import type { KeyCheckPart, KeyProblem } from '#libs/contract';
import { withKeys } from './client.js';

export const keysCheck = defineCommand({
  name: 'check',
  summary: 'compare all keys with what leads to them, both ways',
  description:
    'Every key with the fingerprints, key ids, addresses and words by which it is found, its holders and the feed of changes, and each of those with its key. ' +
    'Nothing but damage from outside makes them differ. With --repair what is beside a key is made from the key; each repair is in the audit trail. ' +
    'Exits with 1 when something is wrong and was not repaired.',
  flags: {
    repair: { type: 'boolean', summary: 'put right what is wrong' },
    offline: {
      type: 'boolean',
      summary:
        'work on the database of an instance that is stopped, with the settings that it is started with',
    },
    ...jsonFlag,
  },
  examples: [
    { line: 'scs keys check', summary: 'while it runs, as often as you like' },
    { line: 'scs keys check --offline --repair', summary: 'after a database was put back' },
  ],
  async run(ctx) {
    const { repair, offline, json } = ctx.flags;
    const problems: KeyProblem[] = [];
    let [certificates, handles] = [0, 0];
    const take = (part: KeyCheckPart): void => {
      certificates += part.certificates;
      handles += part.handles;
      problems.push(...part.problems);
      if (!json) for (const problem of part.problems) ctx.out.line(lineOf(problem));
    };
    if (offline) {
      const { checkOffline } = await import('./offline.store.js');
      await checkOffline(ctx, repair, take);
    } else
      await withKeys(ctx, async (client) => {
        for await (const part of client.check(repair)) take(part);
      });
    const open = problems.filter(({ repaired }) => !repaired).length;
    if (json) ctx.out.json({ certificates, handles, problems });
    else
      ctx.out.line(
        `${certificates} keys, ${handles} ways to find them: ${
          problems.length === 0
            ? 'nothing is wrong'
            : `${problems.length} problems, ${problems.length - open} repaired`
        }`,
      );
    return open === 0 ? 0 : 1;
  },
});

const SAID: Readonly<Record<KeyProblem['kind'], string>> = {
  unreadable: 'cannot be read: only a copy helps',
  outdated: 'what is kept beside it is not what it says',
  handle_missing: 'is not found by',
  handle_wrong: 'is found in the wrong place by',
  handle_stray: 'is said to be found by',
  holder_missing: 'is not among those of',
  holder_stray: 'is said to be among those of',
  change_wrong: 'is not what the feed of changes says',
};

function lineOf({ kind, fingerprint, what, repaired }: KeyProblem): string {
  const about = what === undefined || kind === 'change_wrong' ? '' : ` ${what}`;
  return `${fingerprint.toUpperCase()} ${SAID[kind]}${about}${repaired ? ' (repaired)' : ''}`;
}
