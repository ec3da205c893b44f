export {
  type KeystoreSettings,
  type MetricsSettings,
  ScsConfig,
  type RedisSettings,
  type TlsSettings,
} from './config.js';
export { withDatabaseAuthority } from './databases.js';
export { environmentExample } from './example.js';
export { prepareHome } from './home.js';
export { installation, type Installation } from './installation.js';
export { environment, loadConfig } from './load.js';
export { formatMongoUrl, type MongoUrl, parseMongoUrl } from './mongo-url.js';
export { DiskReserve, diskReserves } from './reserve.js';
export { Secret } from './secret.js';
export { ADDRESSED, type AddressedService } from './services.js';
export { ADMINISTRATOR, type Endpoint, type ServerMessage } from './supervision.js';
