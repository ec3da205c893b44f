import { defineGroup } from '#libs/cli';
import { webhookAdd } from './add.js';
import { webhookDeliveries } from './deliveries.js';
import { webhookList } from './list.js';
import { webhookPing } from './ping.js';
import { webhookRedeliver } from './redeliver.js';
import { webhookRemove } from './remove.js';
import { webhookSet } from './set.js';

export const webhookGroup = defineGroup({
  name: 'webhook',
  aliases: ['webhooks'],
  summary: 'send what happens in an entity to other programs: for its owners',
  commands: [
    webhookList,
    webhookAdd,
    webhookSet,
    webhookRemove,
    webhookPing,
    webhookDeliveries,
    webhookRedeliver,
  ],
});
