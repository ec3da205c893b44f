import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** An ordinary user of this machine, with a home and (as far as the machine gives any) sub-ids. */
export interface Tester {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** First sub-ids in /etc/subuid and /etc/subgid; null where the user has none. */
  readonly subordinate: { readonly uid: number; readonly gid: number } | null;
}

const NAME = 'tester';

export const isRoot = process.getuid?.() === 0;

/**
 * The user as whom rows of the contract are run: root's tests make one called `tester`, as useradd makes users (with sub-ids), and leave it for the
 * next run; anybody else is it themselves.
 */
export function tester(): Tester {
  if (isRoot) makeUser();
  const name = isRoot ? NAME : userInfo().username;
  const [, , uid, gid, , home = '/'] = execFileSync('getent', ['passwd', name], { encoding: 'utf8' })
    .trimEnd()
    .split(':');
  return { name, uid: Number(uid), gid: Number(gid), home, subordinate: subordinate(name) };
}

/** Several test files may ask at once: one makes it, the others wait. */
function makeUser(): void {
  const script = `
    getent passwd ${NAME} >/dev/null || useradd --create-home --shell /bin/sh ${NAME}
    grep -q '^${NAME}:' /etc/subuid || usermod --add-subuids 3000000000-3000065535 ${NAME}
    grep -q '^${NAME}:' /etc/subgid || usermod --add-subgids 3000000000-3000065535 ${NAME}`;
  const made = spawnSync('flock', ['/tmp/scs-tester.lock', 'sh', '-ec', script], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`Expected a user ${NAME} to be made, got: ${made.stderr}`);
}

function subordinate(name: string): Tester['subordinate'] {
  const start = (file: string): number | null => {
    try {
      const line = readFileSync(file, 'utf8')
        .split('\n')
        .find((one) => one.startsWith(`${name}:`));
      return line === undefined ? null : Number(line.split(':')[1]);
    } catch {
      return null;
    }
  };
  const [uid, gid] = [start('/etc/subuid'), start('/etc/subgid')];
  return uid === null || gid === null ? null : { uid, gid };
}
