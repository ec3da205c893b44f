export { AuditDesk } from './audit-desk.js';
export { Audited, auditedAction } from './changes.js';
export { provideTrail } from './service-trail.js';
