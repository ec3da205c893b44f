import { person, startUp } from '../support/up.js';
import { tenLines } from './ten-lines.suite.js';

tenLines('with everything in one process', async () => {
  const me = await person();
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
