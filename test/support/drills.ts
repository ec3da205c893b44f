import { execFile } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './temporary.js';

const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));

export interface DrillResult {
  readonly status: number;
  readonly stdout: string;
}

/**
 * Runs one security drill of `scripts/drills.mjs`.
 * @param checkout whose programs, those of this one by default; what a drill that fails leaves stays there
 */
export function runDrill(name: string, checkout?: string): Promise<DrillResult> {
  const words = [join(CHECKOUT, 'scripts/drills.mjs'), '--only', name];
  if (checkout !== undefined) words.push('--checkout', checkout);
  const env = { PATH: process.env.PATH, ...(checkout !== undefined && { TMPDIR: checkout }) };
  return new Promise((resolve) => {
    execFile(process.execPath, words, { env }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? 1), stdout: stdout + stderr });
    });
  });
}

/** One guard less: in a compiled file, `guard` is replaced by `gap`. */
export interface Removal {
  /** Below `dist`. */
  readonly file: string;
  readonly guard: string;
  readonly gap: string;
}

/** A copy of the compiled programs of which some guards were removed. @throws Error when a guard is not there */
export async function checkoutWithout(
  ...removals: readonly Removal[]
): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  const folder = await temporaryFolder();
  const linked = readdirSync(CHECKOUT).filter((name) => name !== 'dist' && name !== '.git');
  for (const name of linked) symlinkSync(join(CHECKOUT, name), join(folder.path, name));
  cpSync(join(CHECKOUT, 'dist'), join(folder.path, 'dist'), { recursive: true });
  for (const { file, guard, gap } of removals) {
    const path = join(folder.path, 'dist', file);
    const text = readFileSync(path, 'utf8');
    if (text.split(guard).length !== 2) throw new Error(`Expected ${JSON.stringify(guard)} once in ${file}`);
    writeFileSync(
      path,
      text.replace(guard, () => gap),
    );
  }
  return folder;
}
