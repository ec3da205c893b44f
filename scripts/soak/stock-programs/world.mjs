import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownInstance } from '../instance.mjs';
import { DEFINITIONS } from './definitions.mjs';
import { Person } from './person.mjs';
import { ID, introduce, makeFolder, makePlace, mount, PLACE, writeForUser } from './place.mjs';
import { Scene } from './scene.mjs';

const SITE = 'scs.example.org';
const SCOPES = 'library:read,library:write,library:delete,keystore:write,build';

/**
 * An instance with all services at https://scs.example.org, and for each stock program an account, and somebody with a home, a token and the definitions. For a process
 * that has mount, PID and network namespaces of its own.
 * @param programs `{ name, version, folder }` of each
 */
export async function makeWorld(folder, programs) {
  makePlace(folder, { programs, site: SITE });
  const instance = ownInstance(makeFolder('instance'), {
    SCS_PORT: '443',
    SCS_PUBLIC_URL: `https://${SITE}`,
  });
  await instance.supervisor('start');
  const administrator = new Person({
    id: process.getuid(),
    home: makeFolder('administrator'),
    env: { SCS_HOME: instance.home },
  });
  const authority = join(PLACE, 'ca.pem');
  copyFileSync(join(instance.home, 'tls/ca.pem'), authority);
  chmodSync(authority, 0o644);
  // Not before everything of this program was loaded: it may lie there.
  const temporary = makeFolder('tmp');
  chmodSync(temporary, 0o1777);
  mount(temporary, '/tmp');
  return {
    /** One after the other: each has the machine to itself. */
    async *scenes() {
      for (const { name, version } of programs) {
        const person = newPerson(name, authority);
        const token = await makeAccount(name, administrator);
        writeForUser(join(person.home, 'token'), token);
        const about = { place: PLACE, site: SITE, token: token.trim() };
        yield new Scene({ program: name, version, person, administrator, ...about });
      }
    },
    end: () => instance.supervisor('stop'),
  };
}

/** The ordinary user, by another name and with another home. */
function newPerson(name, authority) {
  const home = makeFolder(`home-of-${name}`, true);
  introduce(name, home);
  for (const [file, text] of Object.entries(DEFINITIONS))
    writeForUser(join(home, file), text.replace('{me}', name));
  return new Person({ id: ID, home, env: { SSL_CERT_FILE: authority, SING_CA_FILE: authority } });
}

/** @returns the line with a token of the new account */
async function makeAccount(name, administrator) {
  const scs = (...words) => administrator.ok(join(PLACE, 'scs/bin/scs'), words);
  await scs('user', 'add', '--email', `${name}@example.org`, '--generate', name);
  return (await scs('token', 'create', '--user', name, '--scope', SCOPES)).stdout;
}
