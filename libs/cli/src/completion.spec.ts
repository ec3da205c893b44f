import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { defineCommand, defineGroup, defineProgram } from './command.js';
import { completionScript, SHELLS } from './completion.js';
import { manualMarkdown, manualPage } from './manual.js';

const program = defineProgram({
  name: 'tool',
  version: '1.2.3',
  summary: 'a tool for tests',
  prefixes: ['SING'],
  globals: { remote: { type: 'string', short: 'r', value: 'NAME', summary: 'which remote' } },
  commands: [
    defineGroup({
      name: 'key',
      aliases: ['keys'],
      summary: 'work with keys',
      commands: [
        defineCommand({
          name: 'list',
          summary: "list 'keys'",
          flags: {
            secret: { type: 'boolean', short: 's', summary: 'private keys' },
            url: { type: 'string', short: 'u', value: 'URL', summary: 'which server' },
            internal: { type: 'boolean', hidden: true, summary: 'not shown' },
          },
          run: () => undefined,
        }),
        defineCommand({ name: 'remove', summary: 'remove a key', run: () => undefined }),
      ],
    }),
    defineCommand({ name: 'secret-verb', hidden: true, summary: 'not shown', run: () => undefined }),
  ],
});

function complete(...words: readonly string[]): string[] {
  const script = `${completionScript(program, 'bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _tool
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

describe('bash completion', () => {
  it('offers verbs of a noun, also behind its alias and behind global flags', () => {
    expect(complete('tool', 'k')).toEqual(['key', 'keys']);
    expect(complete('tool', 'key', '')).toEqual(['list', 'remove', '--help']);
    expect(complete('tool', '-d', 'keys', 're')).toEqual(['remove']);
  });

  it('offers flags of a verb', () => {
    expect(complete('tool', 'key', 'list', '--')).toEqual(['--secret', '--url', '--help']);
  });

  it('passes over the values of global flags', () => {
    expect(complete('tool', '--remote', 'key', 'k')).toEqual(['key', 'keys']);
    expect(complete('tool', '-r', 'lab', '-d', 'key', 'l')).toEqual(['list']);
    expect(complete('tool', '--remote', '=', 'lab', 'key', 'l')).toEqual(['list']);
  });

  it('offers files for arguments and for values of flags', () => {
    expect(complete('tool', 'key', 'remove', 'package.j')).toEqual(['package.json']);
    expect(complete('tool', 'key', 'list', '-u', 'package.j')).toEqual(['package.json']);
    expect(complete('tool', '--remote', 'package.j')).toEqual(['package.json']);
    expect(complete('tool', '-r', 'k')).not.toContain('key');
  });

  it('offers commands behind help, and nothing else', () => {
    expect(complete('tool', 'help', 'key', '')).toEqual(['list', 'remove']);
    expect(complete('tool', 'help', 'k')).toEqual(['key', 'keys']);
    expect(complete('tool', 'help', 'key', 'list', '')).toEqual([]);
  });

  it('offers nothing that is hidden', () => {
    expect(complete('tool', 'sec')).toEqual([]);
  });
});

describe('other formats', () => {
  // zsh and fish need not be there.
  const shells = SHELLS.filter((shell) => spawnSync(shell, ['-c', 'true']).error === undefined);

  it.each(shells)('%s reads its script', (shell) => {
    const input = completionScript(program, shell);
    const { status, stderr } = spawnSync(shell, ['-n'], { input, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  it('fish knows every verb and quotes what it says', () => {
    const script = completionScript(program, 'fish');
    expect(script).toContain(`-a 'list' -d 'list '\\''keys'\\'''`);
    expect(script).toContain('-l secret -s s');
    expect(script).not.toContain('not shown');
  });

  it('the manual page and the Markdown name every verb and flag', () => {
    for (const text of [manualPage(program), manualMarkdown(program)]) {
      expect(text).toContain('tool key list [flags]');
      expect(text.replaceAll('\\', '')).toContain('--secret');
      expect(text).not.toContain('not shown');
    }
  });
});
