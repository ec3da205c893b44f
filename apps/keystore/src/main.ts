import { serve } from '#libs/server';
import { KeystoreModule } from './keystore.module.js';

await serve({ name: 'keystore', modules: [KeystoreModule] });
