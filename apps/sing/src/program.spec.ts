import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run, type Node } from '#libs/cli';
import { ACTION_FLAGS } from '#libs/runtime';
import { installation } from './installation.js';
import { sing } from './program.js';

const { folder, version } = installation();

function* commandsOf(nodes: readonly Node[], path = ''): Generator<{ path: string; node: Node }> {
  for (const node of nodes) {
    yield { path: `${path} ${node.name}`.trim(), node };
    if (node.kind === 'group') yield* commandsOf(node.commands, `${path} ${node.name}`.trim());
  }
}

describe('the command line', () => {
  it('has the version of the package', async () => {
    expect(version).toBe(
      (JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }).version,
    );
    expect((await run(sing, ['version'])).stdout).toBe(`${version}\n`);
  });

  it('is what docs/cli.md says (npm run build:cli; node dist/cli/sing.cjs manual --format markdown > docs/cli.md)', async () => {
    const { stdout } = await run(sing, ['manual', '--format', 'markdown']);
    expect(await readFile(join(folder, 'docs/cli.md'), 'utf8')).toBe(stdout);
  });

  it('has every verb of the first line, keys by both names', () => {
    const paths = [...commandsOf(sing.commands)].map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        ...['add', 'remove', 'use', 'list', 'login', 'logout', 'status', 'get-login-password'].map(
          (verb) => `remote ${verb}`,
        ),
        ...['add', 'remove', 'list', 'login', 'logout'].map((verb) => `keyserver ${verb}`),
        ...['newpair', 'list', 'push', 'pull', 'search', 'import', 'export', 'remove'].map(
          (verb) => `key ${verb}`,
        ),
        ...['add', 'del', 'dump', 'header', 'info', 'list', 'new', 'setprim'].map((verb) => `sif ${verb}`),
        ...['list', 'clean'].map((verb) => `cache ${verb}`),
        'sign',
        'verify',
        'inspect',
        'run-help',
        'push',
        'pull',
        'delete',
        'search',
        'build',
        'exec',
        'run',
        'shell',
        'test',
        'version',
      ]),
    );
    expect(sing.commands.find(({ name }) => name === 'key')?.aliases).toContain('keys');
  });

  it('is completed by bash, command by command and flag by flag, and is in the manual page', async () => {
    const { stdout: script } = await run(sing, ['completion', 'bash']);
    const { stdout: manual } = await run(sing, ['manual']);
    const commands = [...commandsOf(sing.commands)].filter(
      ({ node, path }) => node.hidden !== true && path !== 'manual',
    );
    const ask = commands.map(
      ({ path }) =>
        `COMP_WORDS=(sing ${path} --) COMP_CWORD=${path.split(' ').length + 1}; _sing; echo "\${COMPREPLY[*]}"`,
    );
    const answers = execFileSync('bash', ['-c', [script, ...ask].join('\n')], { encoding: 'utf8' }).split(
      '\n',
    );
    const page = manual.replaceAll('\\', '');
    for (const [index, { path, node }] of commands.entries()) {
      const flags = node.kind === 'group' ? [] : Object.entries(node.flags);
      const shown = flags.flatMap(([name, { hidden }]) => (hidden === true ? [] : [`--${name}`]));
      expect([path, answers[index]?.split(' ')]).toEqual([path, [...shown, '--help']]);
    }
    const described = commands.filter(({ node }) => node.kind === 'command').map(({ path }) => path);
    expect(described.filter((path) => !new RegExp(`^\\.SS sing ${path}( |$)`, 'm').test(page))).toEqual([]);
  });

  it.each([...commandsOf(sing.commands)].map(({ path }) => path))('explains %s', async (path) => {
    const { stdout, status } = await run(sing, ['help', ...path.split(' ')]);
    expect(status).toBe(0);
    expect(stdout).toContain(`Usage:\n  sing ${path}`);
  });

  it('uses no letter and no name of a flag twice', () => {
    for (const { path, node } of commandsOf(sing.commands)) {
      if (node.kind === 'group') continue;
      const flags = Object.entries(node.flags);
      const letters = flags.flatMap(([, { short }]) => (short === undefined ? [] : [short]));
      const names = flags.flatMap(([name, { aliases }]) => [name, ...(aliases ?? [])]);
      expect([path, letters.length]).toEqual([path, new Set([...letters, 'h']).size - 1]);
      expect([path, names.length]).toEqual([path, new Set(names).size]);
    }
  });

  it('takes the flags of the launch verbs from the runtime', () => {
    const exec = sing.commands.find(({ name }) => name === 'exec');
    const offered = ACTION_FLAGS.filter((flag) => flag.summary !== undefined && flag.verbs === undefined);
    expect(exec?.kind === 'command' && Object.keys(exec.flags)).toEqual(
      expect.arrayContaining(offered.map(({ name }) => name)),
    );
  });
});
