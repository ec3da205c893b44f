import { mongoDatabase } from '../support/databases.js';
import { person, startUp } from '../support/up.js';
import { tenLines } from './ten-lines.suite.js';

tenLines('with the documents in MongoDB', async () => {
  const me = await person();
  const database = await mongoDatabase();
  const instance = await startUp(me, database.env);
  return {
    person: me.with({ SCS_HOME: instance.home }),
    homes: [instance.home],
    stop: async () => {
      await instance.down();
      await database.stop();
      await me.remove();
    },
  };
});
