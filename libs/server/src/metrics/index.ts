export { METRICS } from './limits.js';
export { Metrics } from './metrics.js';
