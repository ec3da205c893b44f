import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROGRAM, skipContainers } from '../../support/containers.js';
import { useScene } from '../../support/rows.js';

// Runtime contract §5.3: the environment. As a user.
describe.skipIf(skipContainers())('rows of the environment', () => {
  let scripted = '';
  const rows = useScene((scene) => {
    scripted = scene.image('environment', {
      '.singularity.d/env/90-environment.sh': 'export A=i\nexport EMPTY=\n',
    });
  });
  const { sh, output } = rows;

  it('T096, T097: the host’s variables pass, with -e only a few', async () => {
    expect(await output('FOO=1 sing exec $I printenv FOO')).toBe('1');
    expect((await sh('FOO=1 sing exec -e $I printenv FOO')).status).toBe(1);
    const env = { FOO: '1', http_proxy: 'p', NO_PROXY: 'n', LANG: 'de_DE' };
    const names = (await output('sing exec -e $I env', { env }))
      .split('\n')
      .map((line) => line.split('=')[0] ?? '')
      .filter((name) => !/^(SINGULARITY|APPTAINER)_/.test(name))
      .sort();
    expect(names).toEqual(
      [
        'HOME',
        'LANG',
        'LD_LIBRARY_PATH',
        'NO_PROXY',
        'PATH',
        'PROMPT_COMMAND',
        'PS1',
        'PWD',
        'TERM',
        'http_proxy',
      ].sort(),
    );
    expect(await output('sing exec -e $I printenv LANG', { env })).toBe('C');
  });

  it('T098, T099, T100: --env over --env-file over SINGULARITYENV_', async () => {
    expect(await output('sing exec --env A=1,B=2 $I printenv A B')).toBe('1\n2');
    expect((await sh('sing exec --env A $I true')).status).toBe(1);
    expect(await output('sing exec $I printenv A', { env: { SINGULARITYENV_A: 'x' } })).toBe('x');
    expect(
      await output('sing exec $I printenv A', { env: { SINGULARITYENV_A: 'x', APPTAINERENV_A: 'y' } }),
    ).toBe('y');
    const ended = await sh(
      `printf 'A=3\\nB=4\\n' >$W/file; sing exec --env A=1 --env-file $W/file $I printenv A B C`,
      {
        env: { SINGULARITYENV_A: '2', SINGULARITYENV_B: '2', SINGULARITYENV_C: '2' },
      },
    );
    expect(ended.stdout).toBe('1\n4\n2\n');
    expect(ended.stderr).toMatch(/^WARNING.*A.*--env/m);
  });

  it('T101: parts of PATH', async () => {
    const path = (name: string, value: string): Promise<string> =>
      output('sing exec $I printenv PATH', { env: { [`SINGULARITYENV_${name}`]: value } });
    expect(await path('PREPEND_PATH', '/p')).toMatch(/^\/p:.*\/bin$/);
    expect(await path('APPEND_PATH', '/q')).toMatch(/^\/usr.*:\/q$/);
    expect(await output('sing exec $I /bin/printenv PATH', { env: { SINGULARITYENV_PATH: '/only' } })).toBe(
      '/only',
    );
  });

  it('T102: HOME is not for injection', async () => {
    const ended = await sh('sing exec $I printenv HOME', { env: { SINGULARITYENV_HOME: '/x' } });
    expect(ended.stdout).toBe(`${rows.scene.user.home}\n`);
    expect(ended.stderr).toBe(
      'WARNING: Overriding HOME environment variable with SINGULARITYENV_HOME is not permitted\n',
    );
  });

  it('T103: libraries of the host come last', async () => {
    expect(
      await output('sing exec $I printenv LD_LIBRARY_PATH', {
        env: { SINGULARITYENV_LD_LIBRARY_PATH: '/l' },
      }),
    ).toBe('/l:/.singularity.d/libs');
  });

  it('T104, T105: values are evaluated, or literal with --no-eval', async () => {
    expect(await output(`sing exec --env 'A=$(echo hi)' $I printenv A`)).toBe('hi');
    expect(await output(`sing exec --no-eval --env 'A=$(echo hi)' $I printenv A`)).toBe('$(echo hi)');
    const value = 'a\nb\\nc"d\'e';
    expect(await output('sing exec --no-eval $I printenv A', { env: { SINGULARITYENV_A: value } })).toBe(
      value,
    );
    expect(await output('sing exec $I printenv A', { env: { SINGULARITYENV_A: 'a\nb\'c"d' } })).toBe(
      'a\nb\'c"d',
    );
    expect(await output('sing exec $I printenv A', { env: { SINGULARITYENV_A: '\\$LIB/x' } })).toBe('$LIB/x');
  });

  it('T106, T107: the image’s variables come before the host’s', async () => {
    expect(await output(`A=h sing exec ${scripted} printenv A`)).toBe('i');
    expect((await sh(`EMPTY=h sing exec ${scripted} sh -c 'echo "[\${EMPTY-unset}]"'`)).stdout).toMatch(
      /^\[(unset)?\]\n$/,
    );
  });

  it('T108: functions of bash do no harm', async () => {
    const env = { 'BASH_FUNC_f%%': '() {  echo f\n}' };
    expect(await output('sing exec $I true', { env })).toBe('');
    expect(await output(`sing exec ${scripted} true`, { env })).toBe('');
  });

  it('T109: files of variables are evaluated, a later one wins', async () => {
    await sh(
      `printf 'A=$(echo one)\\nexport B="two words"\\n# C=3\\nD=$A$HOSTVAR\\n' >$W/one; printf 'A=later\\nPATH=/bin:/extra\\nHOME=/x\\n' >$W/two`,
    );
    const ended = await sh(
      `sing exec --env-file $W/one --env-file $W/two $I sh -c 'echo "$A|$B|$C|$D|$PATH|$HOME"'`,
      { env: { HOSTVAR: 'h' } },
    );
    expect(ended.stdout).toBe(`later|two words||oneh|/bin:/extra|${rows.scene.user.home}\n`);
    expect((await sh('sing exec --env-file /nope $I true')).status).toBe(255);
    await sh(`printf 'A=\\n' >$W/empty; echo 'if' >$W/wrong`);
    expect(await output(`A=h sing exec --env-file $W/empty $I sh -c 'echo "[\${A-unset}]"'`)).toBe('[]');
    const wrong = await sh('sing exec --env-file $W/wrong $I true');
    expect(wrong.status).toBe(255);
    expect(wrong.stderr).toMatch(/^FATAL: {3}could not evaluate \S+\/wrong of --env-file/m);
    expect(
      await output('sing exec $I printenv A', {
        env: { SINGULARITY_ENV_FILE: join(rows.scene.work, 'one') },
      }),
    ).toBe('one');
  });

  it('T110: what the runtime itself sets', async () => {
    expect(
      await output('sing exec $I printenv SINGULARITY_CONTAINER SINGULARITY_NAME SINGULARITY_COMMAND'),
    ).toBe(`${rows.scene.sif}\nimage.sif\nexec`);
    // An image with several names is told by which of them it was called.
    const link = join(rows.scene.work, 'other.sif');
    expect(
      await output(
        `ln -s $I ${link} && cd $W && sing exec ../work/other.sif printenv SINGULARITY_CONTAINER SINGULARITY_NAME`,
      ),
    ).toBe(`${link}\nother.sif`);
  });

  it('T111: hostile variables reach the payload, not the runtime', async () => {
    const trap = join(rows.scene.work, 'trap');
    const env = {
      NODE_OPTIONS: `--require=${trap}`,
      LD_PRELOAD: `${trap}.so`,
      NODE_EXTRA_CA_CERTS: `${trap}.pem`,
      PYTHONPATH: trap,
      LD_AUDIT: `${trap}.so`,
      BASH_ENV: trap,
      ENV: trap,
    };
    await sh(`echo 'require("fs").writeFileSync("${trap}.sprung", "")' >${trap}.js`);
    const names = 'NODE_OPTIONS LD_PRELOAD NODE_EXTRA_CA_CERTS PYTHONPATH';
    const assignments = Object.entries(env)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ');
    // The shell that starts it is not to be steered: only the program gets them.
    const ended = await sh(
      `env -i PATH="$PATH" HOME="$HOME" ${assignments} ${PROGRAM} exec ${rows.scene.sif} printenv ${names}`,
    );
    expect(ended.stdout).toBe(`--require=${trap}\n${trap}.so\n${trap}.pem\n${trap}\n`);
    expect(
      (
        await sh(
          `env -i PATH="$PATH" HOME="$HOME" ${assignments} ${PROGRAM} exec -e ${rows.scene.sif} printenv ${names}`,
        )
      ).stdout,
    ).toBe('');
    expect(existsSync(`${trap}.sprung`)).toBe(false);
  });

  it('T112: the prompt of a shell on a terminal', async () => {
    const ended = await sh(`script -qec "${PROGRAM} shell ${rows.scene.sif}" /dev/null`, {
      input: 'exit 4\n',
    });
    expect(ended.stdout).toContain('Singularity> ');
    expect(ended.status).toBe(4);
    expect(readFileSync(rows.scene.sif).subarray(0, 22).toString()).toBe('#!/usr/bin/env run-sin');
  });
});
