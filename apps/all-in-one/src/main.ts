import { serve } from '#libs/server';
import { chosenModules } from './modules.js';

await serve({ name: 'server', modules: chosenModules });
