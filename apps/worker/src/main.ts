import { serve } from '#libs/server';
import { WorkerModule } from './worker.module.js';

await serve({ name: 'worker', modules: [WorkerModule] });
