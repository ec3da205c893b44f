import { defineGroup } from '#libs/cli';
import { auditExport } from './export.js';
import { auditHeads } from './heads.js';
import { auditList } from './list.js';
import { auditVerify } from './verify.js';

export const auditGroup = defineGroup({
  name: 'audit',
  summary: 'who changed what: audit trails',
  commands: [auditList, auditVerify, auditHeads, auditExport],
});
