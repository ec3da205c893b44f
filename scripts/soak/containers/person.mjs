import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { within } from '../until.mjs';

const PATIENCE = 180_000;

/** Somebody who starts containers. */
export class Person {
  constructor(about) {
    Object.assign(this, about);
  }

  /**
   * Starts the program. `ended` says how it ended: `{ status, signal, stdout, stderr }`.
   * @param words of the command line
   * @param input of the program
   */
  start(words, input = '') {
    const [program, ...args] = this.#command(words);
    const child = spawn(program, args, {
      cwd: '/',
      env: { HOME: this.home, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TERM: 'dumb' },
      ...(process.getuid() === 0 ? { uid: this.uid, gid: this.uid } : {}),
    });
    // Who is killed reads no more.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const outcome = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]).then(
      ([stdout, stderr, [status, signal]]) => ({ status, signal, stdout, stderr }),
    );
    return { child, ended: within(PATIENCE, `sing ${words.join(' ')} to end`, outcome) };
  }

  run(words, input) {
    return this.start(words, input).ended;
  }

  /** This process may have capabilities in a user namespace, to mount; who starts containers has none. */
  #command(words) {
    const command = [this.program, ...words];
    if (process.getuid() === 0) return command;
    return ['setpriv', '--ambient-caps=-all', '--inh-caps=-all', ...command];
  }
}
