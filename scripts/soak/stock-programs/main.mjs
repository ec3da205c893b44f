// The stage `stock-programs`, in namespaces of its own: node main.mjs FOLDER PROGRAMS, which is what stock-programs.script.ts prints
import { builds } from './builds.mjs';
import { containers } from './containers.mjs';
import { keys } from './keys.mjs';
import { keyservers } from './keyservers.mjs';
import { policy } from './policy.mjs';
import { pulls } from './pulls.mjs';
import { pushes } from './pushes.mjs';
import { endOfRemote, remote } from './remote.mjs';
import { searches } from './searches.mjs';
import { signatures } from './signatures.mjs';
import { theirImages } from './their-images.mjs';
import { together } from './together.mjs';
import { makeWorld } from './world.mjs';

/** In this order: each has what those before it made. */
const SUBJECTS = {
  remote,
  keyservers,
  keys,
  signatures,
  pushes,
  pulls,
  searches,
  policy,
  builds,
  containers,
  theirImages,
  together,
  endOfRemote,
};

const [folder, programs] = process.argv.slice(2);
try {
  const world = await makeWorld(folder, JSON.parse(programs));
  try {
    const lines = [];
    for await (const scene of world.scenes()) {
      for (const [name, steps] of Object.entries(SUBJECTS)) await scene.play(name, steps);
      lines.push(`${scene.program} ${scene.version}: ${scene.done} steps`);
    }
    const left = process.getuid() === 0 ? '' : ' · without root, --fakeroot and ext3 are left out';
    process.stdout.write(`${lines.join(', ')}${left}\n`);
  } finally {
    await world.end();
  }
} catch (error) {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
}
