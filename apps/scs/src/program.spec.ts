import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Command, type Node, run } from '#libs/cli';
import { installation } from '#libs/config';
import { scs } from './program.js';

function* commandsOf(nodes: readonly Node[], path = ''): Generator<{ path: string; node: Command }> {
  for (const node of nodes) {
    const words = `${path} ${node.name}`.trim();
    if (node.kind === 'group') yield* commandsOf(node.commands, words);
    else yield { path: words, node };
  }
}
const commands = [...commandsOf(scs.commands)];
const GENERATED = ['completion', 'manual', 'help', 'version'];
/** What these print is for programs anyway: one JSON object a line. */
const JSON_LINES = ['audit heads', 'audit export'];
const own = commands.filter(({ path }) => !GENERATED.includes(path));

describe('the command line of operators', () => {
  it('is what docs/cli-scs.md says (npm run build:cli; node dist/cli/scs.cjs manual --format markdown > docs/cli-scs.md)', async () => {
    const file = join(installation().folder, 'docs/cli-scs.md');
    const { stdout } = await run(scs, ['manual', '--format', 'markdown']);
    expect(await readFile(file, 'utf8')).toBe(stdout);
  });

  it.each(own)('explains $path, with examples that are lines of it', async ({ path, node }) => {
    const { stdout, status } = await run(scs, ['help', ...path.split(' ')]);
    expect(status).toBe(0);
    expect(stdout).toContain(`Usage:\n  scs ${path}`);
    expect(node.examples?.length).toBeGreaterThan(0);
    for (const { line } of node.examples ?? []) expect(line).toMatch(new RegExp(`^scs ${path}\\b`));
  });

  it.each(own.filter(({ path }) => !JSON_LINES.includes(path)))('has --json at $path', ({ node }) => {
    expect(Object.keys(node.flags)).toContain('json');
  });

  it('uses no letter and no name of a flag twice', () => {
    for (const { path, node } of commands) {
      const flags = Object.entries(node.flags);
      const letters = flags.flatMap(([, { short }]) => (short === undefined ? [] : [short]));
      const names = flags.flatMap(([name, { aliases }]) => [name, ...(aliases ?? [])]);
      expect([path, letters.length]).toEqual([path, new Set([...letters, 'h']).size - 1]);
      expect([path, names.length]).toEqual([path, new Set(names).size]);
    }
  });
});
