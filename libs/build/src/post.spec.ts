import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RootTree } from '#libs/core';
import { parseDefinition, type Script } from '#libs/deffile';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { alignedScript, runPost } from './post.js';
import type { RunRequest } from './runner.js';
import { environmentScript, runScript } from './sources/oci.js';

function postOf(text: string): Script {
  const script = parseDefinition(text).stages[0]?.scripts.get('post');
  if (script === undefined) throw new Error('no %post');
  return script;
}

describe('%post', () => {
  let base: string;
  let tree: RootTree;
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'post-'));
    tree = await RootTree.open(base);
    await tree.write('bin/sh', '', 0o755);
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  const quiet = { info: () => undefined, warning: () => undefined, output: () => undefined };
  const run = (script: Script, answer: (request: RunRequest) => { status?: number; signal?: string }) =>
    runPost({
      tree,
      script,
      binds: [],
      network: 'host',
      log: quiet,
      signal: undefined,
      runner: {
        run: async (request) => {
          const { status, signal } = answer(request);
          return { status, signal };
        },
      },
    });

  it('keeps the line numbers of the definition', () => {
    const script = postOf('bootstrap: scratch\n%post\na\n%help\nh\n%post\nb\n');
    expect(alignedScript(script, 'first').split('\n')).toEqual(['first', '', 'a', '', '', '', 'b', '']);
  });

  it('names the line and the status of a failure, and removes its script', async () => {
    const script = postOf('bootstrap: scratch\n%post\ntrue\nfalse\n');
    const failing = run(script, (request) => {
      request.output(Buffer.from('+ line 3: true\nno line end+ li'));
      request.output(Buffer.from('ne 4: false\n'));
      return { status: 3 };
    });
    await expect(failing).rejects.toThrow('while running %post at line 4 of the definition: exit status 3');
    expect(await tree.lstat('.post.script')).toBeUndefined();
  });

  it.each([
    [{ signal: 'SIGKILL' }, 'signal SIGKILL'],
    [{ status: 137 }, 'exit status 137'],
  ])('says what %j most often means', async (answer, words) => {
    await expect(run(postOf('bootstrap: scratch\n%post\ntrue\n'), () => answer)).rejects.toMatchObject({
      message: `while running %post: ${words}`,
      remedy: expect.stringContaining('no memory left') as unknown,
    });
  });

  it.each(['-c /usr/bin/python3', '+x'])('adds nothing to a script with %s', async (args) => {
    let text = '';
    const script = postOf(`bootstrap: scratch\n%post ${args}\nprint(1)\n`);
    await run(script, () => {
      text = readFileSync(join(base, '.post.script'), 'utf8');
      return { status: 0 };
    });
    expect(text.trim()).toBe('print(1)');
  });

  it('says what to do when the image has no shell', async () => {
    await tree.remove('bin/sh');
    await expect(run(postOf('bootstrap: scratch\n%post\ntrue\n'), () => ({ status: 0 }))).rejects.toThrow(
      '%post needs /bin/sh',
    );
  });
});

describe('an OCI base', () => {
  it('exports each variable only if unset, except PATH', () => {
    expect(environmentScript({ Env: ['PATH=/a', "X=it's", '1bad=x', 'novalue'] })).toBe(
      `#!/bin/sh\nexport PATH='/a'\n[ -n "\${X+set}" ] || export X='it'\\''s'\n`,
    );
  });

  it('103: arguments replace CMD and follow ENTRYPOINT', () => {
    const script = runScript({ Entrypoint: ['/bin/echo', 'a'], Cmd: ['b'] });
    expect(script).toContain(`set -- '/bin/echo' 'a' "$@"`);
    expect(script).toContain(`set -- '/bin/echo' 'a' 'b'`);
    expect(runScript({})).toContain('exec /bin/sh');
  });
});
