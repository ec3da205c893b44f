import { serve } from '#libs/server';
import { BuilderModule } from './builder.module.js';

await serve({ name: 'builder', modules: [BuilderModule] });
