import { person, startUp } from '../support/up.js';
import { tenLines } from './ten-lines.suite.js';

// Where the tests run as an ordinary user, lines.spec.ts has done this.
if (process.getuid?.() === 0)
  tenLines('by an ordinary user who starts an instance of their own from the checkout of root', async () => {
    const me = await person('user');
    const instance = await startUp(me);
    return {
      person: me.with({ SCS_HOME: instance.home }),
      homes: [instance.home],
      stop: async () => {
        await instance.down();
        await me.remove();
      },
    };
  });
