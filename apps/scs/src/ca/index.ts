import { defineGroup } from '#libs/cli';
import { caShow } from './show.js';

export const caGroup = defineGroup({
  name: 'ca',
  summary: 'the certificate authority of the instance',
  commands: [caShow],
});
