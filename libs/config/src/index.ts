export { ScsConfig, type RedisSettings, type TlsSettings } from './config.js';
export { environmentExample } from './example.js';
export { prepareHome } from './home.js';
export { installation, type Installation } from './installation.js';
export { environment, loadConfig } from './load.js';
export { DiskReserve } from './reserve.js';
export { Secret } from './secret.js';
export { ADMINISTRATOR, type Endpoint, type ServerMessage } from './supervision.js';
