import type { LaunchOptions } from '../options/launchOptions.js';
import type { Variable } from '../options/variables.js';
import type { Bytes } from '../plan.js';
import type { ContainerEnvironment } from './environment.js';
import { DEFAULT_PATH, LIBRARY_FOLDER } from './environment.js';
import { verbText } from './actionVerbs.js';
import { evaluated, isActive, quoted } from './shellText.js';
import { PATH_OF_FILES, variableFilesText } from './variableFiles.js';

/**
 * The shell script that brings a container to its payload (runtime contract §2.8 steps 4–7, §2.9). It is written here and handed to the shell as an argument;
 * nothing in the image can replace it. It works in any POSIX shell, and with options that the image's scripts may have set (-a, -e, -u, IFS). Its own names
 * begin with `__sing_`. The shell is started with the `own` variables only, so that the image's scripts see a clean environment.
 */
export function actionScript(options: LaunchOptions, environment: ContainerEnvironment): Bytes {
  const { evaluate } = options;
  return [
    injection(environment, evaluate),
    SOURCE,
    '__sing_source',
    `: "\${PATH:=${DEFAULT_PATH}}"`,
    environment.files.length > 0 ? PATH_OF_FILES : '',
    pathChange(environment, evaluate),
    LIBRARIES,
    // With files the host's variables are there already, and what a file set to nothing stays so.
    environment.files.length > 0 ? '' : host(environment),
    `[ "\${PS1-}" = 'Singularity> ' ] || unset PROMPT_COMMAND`,
    'set +aeu',
    'unset __sing_file __sing_folder __sing_injected',
    'unset -f __sing_source __sing_inject __sing_host',
    verbText(options),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** Whether an injected value means something else after evaluation, so that only a shell can tell it. */
export function needsEvaluation(
  options: Pick<LaunchOptions, 'evaluate'>,
  environment: ContainerEnvironment,
): boolean {
  const { prepend, append, replace } = environment.path;
  const values = [
    ...environment.injected.map(({ value }) => value),
    prepend ?? '',
    append ?? '',
    replace ?? '',
  ];
  return environment.files.length > 0 || (options.evaluate && values.some(isActive));
}

function valueText(value: Bytes, evaluate: boolean): Bytes {
  return evaluate && isActive(value) ? evaluated(value) : quoted(value);
}

function injection(environment: ContainerEnvironment, evaluate: boolean): Bytes {
  const { injected, given, files } = environment;
  const assigned = (variables: readonly Variable[]): readonly Bytes[] =>
    variables.map((variable) => assignment(variable, evaluate));
  const careful = needsEvaluation({ evaluate }, environment);
  const lines = ['__sing_injected=1', careful ? EVALUATING : '', ...assigned(injected)];
  // A file sees the host's variables as well; what --env says comes again behind it.
  if (files.length > 0) lines.push(host(environment), variableFilesText(files), ...assigned(given));
  if (careful) lines.push('trap - EXIT', 'unset __sing_doing');
  return `__sing_inject() {\n${lines.filter((line) => line !== '').join('\n')}\n}`;
}

/** A shell that cannot read a value or a file ends at once: then its last words are a sentence. */
const EVALUATING = `trap 'printf "%-8s %s\\n" FATAL: "could not evaluate $__sing_doing: it is no text that a shell can read" >&2; exit 255' EXIT`;

/** What has to be evaluated stands in an `eval` of its own: a quote that is never closed ends there, and not with the script. */
function assignment({ name, value }: Variable, evaluate: boolean): Bytes {
  const text = `export ${name}=${valueText(value, evaluate)}`;
  if (!(evaluate && isActive(value))) return text;
  return `__sing_doing='the value of ${name} (--no-eval takes it as it is)'\neval ${quoted(text)} || exit`;
}

/**
 * Every script is sourced inside a function, so that `set --` in it does not take the payload's arguments. Injection comes right after `99-base.sh`; an
 * OCI image's environment gets the default directories that its PATH lacks.
 */
const SOURCE = `__sing_source() {
__sing_injected=
if [ -d /.singularity.d/env ]; then
for __sing_file in /.singularity.d/env/*.sh; do
[ -f "$__sing_file" ] || continue
. "$__sing_file"
case $__sing_file in
*/10-docker2singularity.sh)
for __sing_folder in ${DEFAULT_PATH.split(':').join(' ')}; do
case :\${PATH-}: in *:$__sing_folder:*) ;; *) PATH=\${PATH:+$PATH:}$__sing_folder ;; esac
done ;;
*/99-base.sh) __sing_inject ;;
esac
done
elif [ -f /environment ]; then
. /environment
fi
[ -n "$__sing_injected" ] || __sing_inject
}`;

const LIBRARIES = `case :\${LD_LIBRARY_PATH-}: in
*:${LIBRARY_FOLDER}:*) ;;
*) LD_LIBRARY_PATH=\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${LIBRARY_FOLDER} ;;
esac
export PATH LD_LIBRARY_PATH`;

function pathChange(environment: ContainerEnvironment, evaluate: boolean): Bytes {
  const { prepend, append, replace } = environment.path;
  if (replace !== null) return `PATH=${valueText(replace, evaluate)}`;
  const lines: Bytes[] = [];
  if (prepend !== null) lines.push(`PATH=${valueText(prepend, evaluate)}:$PATH`);
  if (append !== null) lines.push(`PATH=$PATH:${valueText(append, evaluate)}`);
  return lines.join('\n');
}

/**
 * Host variables come back only where the image did not set them; what the image set to nothing is unset. What is injected is what it is, an empty value
 * too.
 */
function host(environment: ContainerEnvironment): Bytes {
  const injected = new Set(environment.injected.map(({ name }) => name));
  const variables = environment.host.filter(({ name }) => !injected.has(name));
  if (variables.length === 0) return '';
  const lines = variables.map(({ name, value }) => `__sing_host ${name} ${quoted(value)}`);
  return [
    '__sing_host() {',
    'if eval "[ -z \\"\\${$1+x}\\" ]"; then export "$1=$2"',
    'elif eval "[ -z \\"\\$$1\\" ]"; then unset "$1"; fi',
    '}',
    ...lines,
  ].join('\n');
}
