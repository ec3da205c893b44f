import { fault } from './fault.js';
import type { Script } from './model.js';

/** Title arguments of a script section before any `#`, split at white space (contract §6). */
export function scriptArguments(script: Script): string[] {
  return (script.args.split('#')[0] ?? '').split(/\s+/).filter((word) => word !== '');
}

/**
 * The command that runs `file` as a `%pre`, `%setup` or `%post` script: `/bin/sh -ex [args] FILE`, or with `-c SHELL` a shell
 * of the author's choice inside it (contract §6, "Arguments of script sections").
 * @throws DomainError `bad_request` for a `-c` without a shell
 */
export function scriptCommand(section: string, script: Script, file: string): string[] {
  const args = scriptArguments(script);
  const shell = args.indexOf('-c');
  if (shell < 0) return ['/bin/sh', '-ex', ...args, file];
  const inner = args.slice(shell + 1);
  if (inner.length === 0) {
    throw fault(
      `bad ${section} section '-c' parameter: missing arguments`,
      script.pieces.at(-1)?.line,
      `Name the shell, as in %${section} -c /bin/bash.`,
    );
  }
  return ['/bin/sh', '-ex', ...args.slice(0, shell), '-c', `${inner.join(' ')} ${file}`];
}

/**
 * The text of `/.singularity.d/{runscript,startscript,test}`: interpreter line, blank line, body. A body whose first physical
 * line begins with `#!` brings its own interpreter (contract §7, "Interpreter line").
 */
export function runnableScript(script: Script): string {
  const args = scriptArguments(script);
  const lines = script.script.split('\n');
  const own = script.script.trimStart().startsWith('#!');
  const first = own ? (lines[0] ?? '') : '#!/bin/sh';
  const interpreter = args.length === 0 ? first : `${first} ${args.join(' ')}`;
  const body = own ? lines.slice(1).join('\n') : script.script;
  return `${interpreter}\n\n${body}`;
}
