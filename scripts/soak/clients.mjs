import { fork } from 'node:child_process';
import { once } from 'node:events';
import { processorTimeOf } from './process.mjs';

const PROGRAM = new URL('library-clients.mjs', import.meta.url);

/**
 * A process with clients of one kind (library-clients.mjs). Resolves when it waits for what to do.
 * @param authority the file with the certificate of the server's authority
 */
export async function clientsOf(kind, { port, authority }) {
  const child = fork(PROGRAM, [String(port), authority, kind]);
  const ended = once(child, 'exit').then(([status]) => [{ error: `the process ended with ${status}` }]);
  const answer = async () => {
    const [{ answer: said, error }] = await Promise.race([once(child, 'message'), ended]);
    if (error !== undefined) throw new Error(`The clients of the kind ${kind}: ${error}`);
    return said;
  };
  await answer();
  return {
    /** Tells it what to do; its answer. @throws Error with what it met */
    ask(what, wanted = {}) {
      const said = answer();
      child.send({ ask: what, ...wanted });
      return said;
    },
    /** Milliseconds that it has worked so far. */
    worked: () => processorTimeOf(child.pid),
    end: () => child.kill(),
  };
}
