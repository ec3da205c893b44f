import { defineGroup } from '#libs/cli';
import { orgAdd } from './add.js';
import { orgChange } from './change.js';
import { orgList } from './list.js';
import { memberGroup } from './member/index.js';
import { orgShow } from './show.js';

export const orgGroup = defineGroup({
  name: 'org',
  summary: 'organisations and their members',
  commands: [orgAdd, orgList, orgShow, orgChange, memberGroup],
});
