export { AuditDesk } from './audit-desk.js';
export { Audited } from './changes.js';
export { provideTrail } from './service-trail.js';
