import { defineGroup } from '#libs/cli';
import { registryList } from './list.js';
import { registryLogin } from './login.js';
import { registryLogout } from './logout.js';

export const registryGroup = defineGroup({
  name: 'registry',
  summary: 'passwords for registries, where oras:// images are',
  commands: [registryLogin, registryLogout, registryList],
});
