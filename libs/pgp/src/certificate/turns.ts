import { setImmediate as nextTurn } from 'node:timers/promises';

/** Octets that are read or hashed between two turns of everybody else: a millisecond or two. */
const OCTETS_IN_A_ROW = 32 * 1024;
/** What anything costs, however short it is. */
const LEAST = 300;

/** Lets everybody else of the process have a turn now and then, while much is read. */
export class Turns {
  #octets = 0;

  /** @param octets that were read or hashed, or are about to be */
  async after(octets: number): Promise<void> {
    this.#octets += octets + LEAST;
    if (this.#octets < OCTETS_IN_A_ROW) return;
    this.#octets = 0;
    await nextTurn();
  }
}
