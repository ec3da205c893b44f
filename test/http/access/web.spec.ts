import { describeAccess } from './matrix.js';
import { GUILD, VAULT, World } from './world.js';

describeAccess('web', async () => ({ world: await World.start() }), {
  'GET /': () => ({ path: '/' }),
  'GET /auth/tokens': () => ({ path: '/auth/tokens' }),
  'GET /ca.pem': () => ({ path: '/ca.pem' }),
  'GET /assets/config/config.prod.json': () => ({ path: '/assets/config/config.prod.json' }),
  'GET /library/{entity}/{collection}/{container}': ({ object, missing }) => ({
    path: `/library/${missing ? 'nobodys' : object === 'public' ? GUILD : VAULT}/tools/application`,
  }),
});
