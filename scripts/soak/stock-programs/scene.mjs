import { join } from 'node:path';
import { untilNothing } from '../until.mjs';
import { filled, problemsOf } from './expectations.mjs';

/**
 * One stock program, somebody who uses it, and an administrator. What they do is in tables of steps; a step says
 *
 * - `stock`, `sing` or `admin`: a command line of the program, of `sing` as the same person, or of `sing` as the administrator. Words with spaces stand in double
 *   quotes. `{name}` is a value: `{me}` (the account, and its entity), `{home}`, `{site}`, `{token}`, `{arch}`, `{other}` (another architecture), and what steps have kept
 * - `input`: what is typed
 * - `only`: of this program alone
 * - `root`: only where root runs this. In the user namespace of an ordinary user nobody has sub-ids, which `--fakeroot` needs, and no program belongs to root, as those
 *   have to that serve ext3
 * - `until`: it is done again until it does what it should, for something else has to end first
 * - what has to be so afterwards: expectations.mjs
 */
export class Scene {
  #person;
  #administrator;
  #values;
  #programs;

  /** Steps that were done. */
  done = 0;

  constructor({ program, version, person, administrator, place, site, token }) {
    this.program = program;
    this.version = version;
    this.#person = person;
    this.#administrator = administrator;
    this.#programs = { stock: join(place, program, 'bin', program), sing: join(place, 'scs/bin/sing') };
    const [arch, other] = process.arch === 'arm64' ? ['arm64', 'amd64'] : ['amd64', 'arm64'];
    this.#values = { me: program, home: person.home, site, token, arch, other };
  }

  /** @throws Error that names the first step that did not do what it should, with what it said */
  async play(subject, steps) {
    const isRoot = process.getuid() === 0;
    const can = ({ only = this.program, root = false }) => only === this.program && (isRoot || !root);
    for (const step of steps.filter(can)) {
      const look = () => this.#do(step);
      if (step.until === true) await untilNothing('trouble', look, 60_000);
      else await look().then((trouble) => this.#require(subject, trouble));
      this.done += 1;
    }
  }

  #require(subject, trouble) {
    if (trouble !== '') throw new Error(`${this.program}, ${subject}: ${trouble}`);
  }

  /** What was not as it should be, in words; empty when all was. */
  async #do(step) {
    const { stock, sing = stock, admin = sing } = step;
    const person = step.admin === undefined ? this.#person : this.#administrator;
    const program = stock === undefined ? this.#programs.sing : this.#programs.stock;
    const words = (admin.match(/"[^"]*"|\S+/g) ?? []).map((word) =>
      filled(word.replaceAll('"', ''), this.#values),
    );
    const { status, stdout, stderr } = await person.run(
      program,
      words,
      filled(step.input ?? '', this.#values),
    );
    const said = `${stdout}${stderr}`;
    for (const [name, pattern] of Object.entries(step.keeps ?? {}))
      this.#values[name] = pattern.exec(said)?.[1];
    const problems = problemsOf(step, { status, said, values: this.#values });
    if (problems.length === 0) return '';
    const command = [program, ...words].join(' ');
    return `${command}\n  expected ${problems.join(', ')}; it ended with ${status} and said\n${said}`;
  }
}
