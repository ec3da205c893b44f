import { describeAccess } from './matrix.js';
import { World } from './world.js';

describeAccess('system', async () => ({ world: await World.start() }), {
  'GET /version': () => ({ path: '/version' }),
  'GET /{prefix}/version': () => ({ path: '/x/version' }),
  'GET /{prefix}/{more}/version': () => ({ path: '/x/y/version' }),
  'GET /healthz': () => ({ path: '/healthz' }),
  'GET /readyz': () => ({ path: '/readyz' }),
  'GET /docs/{path}': () => ({ path: '/docs/auth.json' }),
  'GET /v1/rbac/users/current': () => ({ path: '/v1/rbac/users/current' }),
  'GET /v1/audit': () => ({ path: '/v1/audit' }),
  'GET /v1/audit/heads': () => ({ path: '/v1/audit/heads' }),
});
