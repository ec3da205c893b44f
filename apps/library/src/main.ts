import { serve } from '#libs/server';
import { LibraryModule } from './library.module.js';

await serve({ name: 'library', modules: [LibraryModule] });
