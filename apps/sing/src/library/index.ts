import { defineGroup } from '#libs/cli';
import { libraryDownloads } from './downloads.js';
import { libraryEvents } from './events.js';
import { libraryList } from './list.js';
import { libraryRemove } from './remove.js';
import { libraryRename } from './rename.js';
import { libraryRetain } from './retain.js';
import { librarySet } from './set.js';
import { libraryShow } from './show.js';
import { libraryStar, libraryUnstar } from './star.js';
import { libraryStars } from './stars.js';
import { libraryUntag } from './untag.js';
import { libraryUsage } from './usage.js';
import { webhookGroup } from './webhook/index.js';

export const libraryGroup = defineGroup({
  name: 'library',
  summary: 'look after what lies in the library: list, show, describe, protect, rename, remove, follow',
  description:
    'For the library of a self-hosted instance; images are brought, fetched, found and deleted with sing push, pull, search and delete. ' +
    'What is public can be listed and shown by everybody.',
  commands: [
    libraryList,
    libraryShow,
    librarySet,
    libraryRename,
    libraryRetain,
    libraryUntag,
    libraryRemove,
    libraryStar,
    libraryUnstar,
    libraryStars,
    libraryDownloads,
    libraryUsage,
    libraryEvents,
    webhookGroup,
  ],
});
