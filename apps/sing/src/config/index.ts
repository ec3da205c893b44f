import { defineGroup } from '#libs/cli';
import { configFakeroot } from './fakeroot.js';
import { configGlobal } from './global.js';

export const configGroup = defineGroup({
  name: 'config',
  summary: 'rules of this installation, and who may use --fakeroot',
  commands: [configFakeroot, configGlobal],
});
