import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ScsConfig } from '#libs/config';

/** Tells builds of this checkout apart: what `scripts/up` has written beside the compiled sources; empty where nobody did. */
export function buildOf(config: ScsConfig): string {
  try {
    return readFileSync(join(config.installFolder, 'dist/.stamp'), 'utf8').trim();
  } catch {
    return '';
  }
}
