import { serve } from '#libs/server';
import { WebModule } from './web.module.js';

await serve({ name: 'web', modules: [WebModule] });
