import { isVariableName, trimBytes } from '../bytes.js';
import type { VariableFile } from '../facts.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { Message } from '../answer.js';
import type { Bytes } from '../plan.js';
import { quoted } from './shellText.js';

/**
 * The part of the action script that evaluates the files of `--env-file` (runtime contract §2.8 step 3), one after the other, a later one over an earlier. Whatever a
 * file assigns is exported; HOME stays as it is, and what it says of PATH takes effect where PATH is changed.
 */
export function variableFilesText(files: readonly VariableFile[]): Bytes {
  return files
    .map(
      ({ path, content }) =>
        `__sing_doing=${quoted(`${path} of --env-file`)}\n__sing_home=$HOME __sing_path=$PATH\nset +eu\nset -a\neval ${quoted(content)}\nset +a\nHOME=$__sing_home`,
    )
    .map((text) => `${text}\n${KEEP_PATH}`)
    .join('\n');
}

const KEEP_PATH = `[ "$PATH" = "$__sing_path" ] || __sing_replace=$PATH
PATH=$__sing_path
__sing_prepend=\${PREPEND_PATH-\${__sing_prepend-}} __sing_append=\${APPEND_PATH-\${__sing_append-}}
unset PREPEND_PATH APPEND_PATH`;

/** What the files said of PATH. */
export const PATH_OF_FILES = `PATH=\${__sing_replace-$PATH}
PATH=\${__sing_prepend:+$__sing_prepend:}$PATH\${__sing_append:+:$__sing_append}
unset __sing_replace __sing_prepend __sing_append __sing_home __sing_path`;

/** Warns of what a file says in vain, because `--env` says it, too. */
export function warnOfVariableFiles(
  options: LaunchOptions,
  files: readonly VariableFile[],
  messages: Message[],
): void {
  const given = new Set(options.variables.map(({ name }) => name));
  for (const { path, content } of files)
    for (const name of assignedNames(content))
      if (given.has(name))
        messages.push({ level: 'WARNING', text: `${name} of ${path} is not taken: --env sets it` });
}

/** Names that lines of the form `NAME=…` or `export NAME=…` assign. */
function assignedNames(content: Bytes): ReadonlySet<Bytes> {
  const names = new Set<Bytes>();
  for (const line of content.split('\n')) {
    const text = trimBytes(line);
    const assignment = text.startsWith('export ') ? trimBytes(text.slice('export '.length)) : text;
    const equals = assignment.indexOf('=');
    const name = assignment.slice(0, Math.max(equals, 0));
    if (isVariableName(name)) names.add(name);
  }
  return names;
}
