/**
 * Tells of keys that end, in a SQLite database, until it is killed. `notices-teller.script.ts <folder> <most>` prints a line after
 * each commit, and stands still after so many.
 */
import { Trail } from '#libs/audit';
import { systemClock } from '#libs/core';
import { openDocuments } from '#libs/documents';
import { NoticesStore } from '../../apps/keystore/src/notices.store.js';

const [folder = '', most = ''] = process.argv.slice(2);
let told = 0;
const documents = await openDocuments(`sqlite:${folder}`, { service: 'keystore' });
const commit = documents.commit.bind(documents);
documents.commit = async (writes) => {
  const result = await commit(writes);
  process.stdout.write('told\n');
  told += 1;
  if (told === Number(most)) process.kill(process.pid, 'SIGSTOP');
  return result;
};
const trail = new Trail({ documents, service: 'keystore', clock: systemClock });
await new NoticesStore(documents, trail, systemClock).tell();
process.stdout.write('done\n');
await documents.close();
