import { DomainError } from '#libs/core';
import { fault } from './fault.js';
import { LIMITS } from './limits.js';

const VARIABLE = /\{\{\s*(\w+)\s*\}\}/g;

/** One `NAME=value` pair of `--build-arg`. @throws DomainError `bad_request` in the words of contract §5 */
export function parseBuildArgument(pair: string): readonly [name: string, value: string] {
  const equals = pair.indexOf('=');
  if (equals < 0) throw bad(`${pair} is not a key=value pair`);
  const name = pair.slice(0, equals).trim();
  const value = pair.slice(equals + 1).trim();
  if (name === '') throw bad(`missing key portion in ${pair}`);
  if (value === '') throw bad(`missing value portion in ${pair}`);
  return [name, value];
}

/** Reads the lines of a `--build-arg-file`; lines of another form become warnings (contract §5). */
export function parseBuildArgumentFile(text: string): { values: Map<string, string>; warnings: string[] } {
  return readPairs(text.replace(/\r?\n$/, '').split(/\r?\n/));
}

/** Reads the body of `%arguments`: blank and comment lines are skipped, others that are no pair become warnings. */
export function parseArguments(body: string): { values: Map<string, string>; warnings: string[] } {
  return readPairs(body.split('\n').filter((line) => line.trim() !== '' && !line.trim().startsWith('#')));
}

function readPairs(lines: readonly string[]): { values: Map<string, string>; warnings: string[] } {
  const values = new Map<string, string>();
  const warnings: string[] = [];
  for (const line of lines) {
    try {
      const [name, value] = parseBuildArgument(line.trim());
      values.set(name, value);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      warnings.push(`Skipping ${JSON.stringify(line)}: ${error.message}`);
    }
  }
  return { values, warnings };
}

/**
 * Replaces every `{{ name }}` once; a value is inserted as it is and not looked at again (contract §5).
 * @param used receives the names that occurred
 * @throws DomainError `bad_request` for a name without a value, and for text that grows beyond what a definition may have
 */
export function substitute(text: string, values: ReadonlyMap<string, string>, used: Set<string>): string {
  let size = Buffer.byteLength(text);
  return text.replace(VARIABLE, (whole, name: string) => {
    const value = values.get(name);
    if (value === undefined) {
      throw bad(
        `build var ${name} is not defined through either --build-arg (--build-arg-file) or 'arguments' section`,
        `Write ${name}=VALUE below %arguments, or use --build-arg ${name}=VALUE.`,
      );
    }
    used.add(name);
    // Before the text is made: a long value that occurs often would fill the memory.
    size += Buffer.byteLength(value) - whole.length;
    if (size > LIMITS.fileBytes) throw tooLong();
    return value;
  });
}

/** The definition is longer than it may be once its variables have their values. */
export function tooLong(): DomainError {
  return fault(
    `Expected at most ${LIMITS.fileBytes} bytes for a definition file with its variables, got more`,
  );
}

function bad(message: string, remedy = 'Write --build-arg NAME=VALUE.'): DomainError {
  return new DomainError('bad_request', message, { reason: 'bad_build_argument', remedy });
}
