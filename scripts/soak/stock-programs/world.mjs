import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownInstance } from '../instance.mjs';
import { DEFINITIONS } from './definitions.mjs';
import { Person } from './person.mjs';
import { Scene } from './scene.mjs';

const CHECKOUT = new URL('../../..', import.meta.url).pathname;
/** Where the folder of the stage is seen. The stock programs are built for the folders below it that have their names. */
const PLACE = '/mnt';
const SITE = 'scs.example.org';
const ORDINARY = 61_238;
const FIRST_SUBID = 3_100_000_000;
const SCOPES = 'library:read,library:write,library:delete,keystore:write,build';

/**
 * An instance with all services at https://scs.example.org, and for each stock program an account, and somebody with a home, a token and the definitions. For a process
 * that has mount, PID and network namespaces of its own.
 * @param programs `{ name, version, folder }` of each
 */
export async function makeWorld(folder, programs) {
  const isRoot = process.getuid() === 0;
  const id = isRoot ? ORDINARY : process.getuid();
  chmodSync(folder, 0o755);
  mount('--bind', folder, PLACE);
  const make = (name, mode = 0o755, owner = process.getuid()) => {
    const path = join(PLACE, name);
    mkdirSync(path, { recursive: true, mode });
    chmodSync(path, mode);
    if (isRoot) chownSync(path, owner, owner);
    return path;
  };
  for (const { name, folder: built } of programs) mount('--bind', built, make(name));
  mount('--bind', CHECKOUT, make('scs'));
  make('etc');
  replace('hosts', `127.0.0.1 localhost ${SITE}\n`);
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  const instance = ownInstance(make('instance'), { SCS_PORT: '443', SCS_PUBLIC_URL: `https://${SITE}` });
  await instance.supervisor('start');
  const authority = join(PLACE, 'ca.pem');
  copyFileSync(join(instance.home, 'tls/ca.pem'), authority);
  chmodSync(authority, 0o644);
  const administrator = new Person({
    id: process.getuid(),
    home: make('administrator'),
    env: { SCS_HOME: instance.home },
  });
  const scs = (...words) => administrator.ok(join(PLACE, 'scs/bin/scs'), words);
  make('homes');
  // Not before everything of this program was loaded: it may lie there.
  mount('--bind', make('tmp', 0o1777), '/tmp');
  return {
    /** One after the other: each has the machine to itself. */
    async *scenes() {
      for (const { name, version } of programs) {
        const home = make(`homes/${name}`, 0o700, id);
        introduce({ name, id, home });
        for (const [file, text] of Object.entries(DEFINITIONS))
          give(join(home, file), text.replace('{me}', name));
        await scs('user', 'add', '--email', `${name}@example.org`, '--generate', name);
        const { stdout: token } = await scs('token', 'create', '--user', name, '--scope', SCOPES);
        give(join(home, 'token'), token);
        const person = new Person({ id, home, env: { SSL_CERT_FILE: authority, SING_CA_FILE: authority } });
        yield new Scene({
          program: name,
          version,
          person,
          administrator,
          place: PLACE,
          site: SITE,
          token: token.trim(),
        });
      }
    },
    end: () => instance.supervisor('stop'),
  };

  function give(path, text) {
    writeFileSync(path, text, { mode: 0o600 });
    if (isRoot) chownSync(path, id, id);
  }
}

const mount = (...words) => execFileSync('mount', words);

/** A file of /etc as this world has it. */
function replace(name, text) {
  const file = join(PLACE, 'etc', name);
  const isNew = !existsSync(file);
  writeFileSync(file, text);
  if (isNew && existsSync(`/etc/${name}`)) mount('--bind', file, `/etc/${name}`);
}

/** The one ordinary user of this world, with sub-ids where there are any: SingularityCE asks the machine where home is. */
function introduce({ name, id, home }) {
  replace('passwd', `root:x:0:0:root:/root:/bin/sh\n${name}:x:${id}:${id}::${home}:/bin/sh\n`);
  replace('group', `root:x:0:\n${name}:x:${id}:\n`);
  if (process.getuid() !== 0) return;
  for (const file of ['subuid', 'subgid']) replace(file, `${name}:${FIRST_SUBID}:65536\n`);
}
