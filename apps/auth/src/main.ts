import { serve } from '#libs/server';
import { AuthModule } from './auth.module.js';

await serve({ name: 'auth', modules: [AuthModule] });
