export * from './certificate/index.js';
export { PACKET_LIMITS } from './packets/limits.js';
export { type Packet, readPackets } from './packets/reader.js';
