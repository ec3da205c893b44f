import type { LaunchOptions } from '../options/launchOptions.js';
import type { Variable } from '../options/variables.js';
import type { Bytes, Payload, Script, Shell } from '../plan.js';
import { STANDARD_ENVIRONMENT } from '../standardEnvironment.js';
import { actionScript, needsEvaluation } from './actionScript.js';
import type { ContainerEnvironment } from './environment.js';
import { plainEnvironment } from './environment.js';

/** The image's own shell runs its scripts; an image without one gets ours (architecture decision on launch plans). */
export const SHELLS: readonly Shell[] = [{ kind: 'image', path: '/bin/sh' }, { kind: 'own' }];

/** The kernel's limit for one argument (MAX_ARG_STRLEN) without the closing zero. */
const LONGEST_ARGUMENT = 128 * 1024 - 1;

/** What the container runs: the command itself where no shell is needed, else the action script. */
export function launchPayload(options: LaunchOptions, environment: ContainerEnvironment): Payload {
  const text = actionScript(options, environment);
  const script: Script = {
    ...asArguments(text, options.words),
    env: environmentText(environment.own),
    shells: SHELLS,
  };
  const [file] = options.words;
  if (
    options.verb !== 'exec' ||
    options.app !== null ||
    file === undefined ||
    needsEvaluation(options, environment)
  )
    return { exec: null, script, scriptWhen: { kind: 'always' } };
  const variables = plainEnvironment(environment);
  const path = variables.find(({ name }) => name === 'PATH')?.value ?? '';
  return {
    exec: {
      file,
      argv: options.words,
      env: environmentText(variables),
      searchPath: path.split(':'),
      shells: SHELLS,
    },
    script,
    scriptWhen: {
      kind: 'image_sets_environment',
      directory: '/.singularity.d/env',
      files: ['/environment'],
      known: STANDARD_ENVIRONMENT.filter(({ known }) => known).map(({ content }) => content),
    },
  };
}

/**
 * The script as one argument, or, when a large environment of the host makes it longer than the kernel takes, in pieces that a first line
 * puts together again.
 */
function asArguments(text: Bytes, words: readonly Bytes[]): Pick<Script, 'text' | 'args'> {
  if (text.length <= LONGEST_ARGUMENT) return { text, args: words };
  const whole = `unset __sing_text\n${text}`;
  const pieces: Bytes[] = [];
  for (let start = 0; start < whole.length; start += LONGEST_ARGUMENT)
    pieces.push(whole.slice(start, start + LONGEST_ARGUMENT));
  const joined = pieces.map((_, index) => `\${${index + 1}}`).join('');
  return {
    text: `__sing_text=${joined}\nshift ${pieces.length}\neval "$__sing_text"`,
    args: [...pieces, ...words],
  };
}

function environmentText(variables: readonly Variable[]): readonly Bytes[] {
  return variables.map(({ name, value }) => `${name}=${value}`);
}
