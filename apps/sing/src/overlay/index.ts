import { defineGroup } from '#libs/cli';
import { overlayCreate } from './create.js';

export const overlayGroup = defineGroup({
  name: 'overlay',
  summary: 'layers that keep what containers write',
  commands: [overlayCreate],
});
