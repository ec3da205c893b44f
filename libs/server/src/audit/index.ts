export { AuditDesk } from './audit-desk.js';
export { Audited, noteChange } from './changes.js';
export { provideTrail } from './service-trail.js';
