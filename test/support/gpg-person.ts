import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { run } from './run.js';

const execute = promisify(execFile);

/** Where Debian has the authorities that the machine trusts. */
const MACHINE = '/etc/ssl/certs/ca-certificates.crt';
const ALONE = `mount --bind "$0" /etc/hosts && { [ -z "$1" ] || mount --bind "$1" ${MACHINE}; } && shift && exec gpg "$@"`;

/** How a gpg command ended. */
export interface GpgEnded {
  readonly status: number | null;
  /** What `--status-fd` and the command itself print. */
  readonly stdout: string;
  /** What people read. */
  readonly stderr: string;
}

/** Somebody with a home of gpg, who reaches a key server on this machine by a name with a dot: without one gpg refuses TLS. */
export interface GpgPerson {
  readonly home: string;
  gpg(...words: string[]): Promise<GpgEnded>;
  /** Replaces dirmngr.conf, and ends the program that has read the old one. */
  configure(lines: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/**
 * @param folder where the home is made; short enough for the sockets in it
 * @param name resolves to 127.0.0.1 for this person alone, by a hosts file in a mount namespace
 * @param authorities what the machine trusts, for this person alone: a file in PEM. Of the machine itself when absent
 */
export async function gpgPerson(
  folder: string,
  name: string,
  called: string,
  authorities = '',
): Promise<GpgPerson> {
  const home = join(folder, called);
  const hosts = join(folder, `${called}.hosts`);
  await mkdir(home, { mode: 0o700 });
  await writeFile(hosts, `127.0.0.1 localhost ${name}\n`);
  const gpgconf = (): Promise<unknown> => execute('gpgconf', ['--homedir', home, '--kill', 'all']);
  return {
    home,
    gpg: (...words) =>
      run(
        'unshare',
        ['--map-root-user', '--mount', 'sh', '-c', ALONE, hosts, authorities].concat(
          ['--homedir', home, '--batch', '--no-tty', '--status-fd', '1'],
          ['--pinentry-mode', 'loopback', '--passphrase', ''],
          words,
        ),
        { cwd: folder, env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', HOME: home } },
      ),
    configure: async (lines) => {
      await writeFile(join(home, 'dirmngr.conf'), lines.map((line) => `${line}\n`).join(''));
      await gpgconf();
    },
    stop: async () => void (await gpgconf()),
  };
}
