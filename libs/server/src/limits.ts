/** Every limit of the HTTP side in one place. Sizes in bytes, times in milliseconds. */
export const LIMITS = {
  /** Request line and headers together; Node answers more with 431. A token has at most 4 KiB. */
  headers: 16 * 1024,
  /** The request target. Longer ones are answered with 414. */
  url: 8 * 1024,
  /** One parameter of a route (decisions: fingerprints with options, long tags). */
  routeParameter: 512,
  /** A JSON body where the route names no limit of its own. */
  json: 1024 * 1024,
  /** The headers of a request have to be there within this time. */
  headersTime: 20_000,
  /** A client that owes us a part of its body and sends nothing for this long is cut off. */
  bodyIdleTime: 60_000,
  /** How often that is looked at. */
  bodyCheckInterval: 10_000,
  /** How long a client may go on sending after it was answered, before the connection is cut. */
  unreadBodyTime: 15_000,
  /** A connection that was refused is cut when its client has not hung up after this time. */
  hangUpTime: 1_000,
  /** Connections that are open at a time; fewer where the process may have few descriptors. */
  connections: 10_000,
  /** Descriptors that are no connections and no files of downloads. */
  otherFiles: 224,
  /** How often it is said that clients were hung up on because there were too many. */
  dropsSaid: 60_000,
  keepAliveTime: 75_000,
  /** After a connection was silent for this long it is asked whether its client is still there. */
  probeTime: 60_000,
  /** How long requests in flight may take to end when the process is asked to stop. */
  shutdownTime: 20_000,
  /** How often the free space of the state folder is looked at. */
  reserveInterval: 5_000,
  /** What a service needs has to work within this time after the port opened. */
  startTime: 15_000,
  /** A readiness check that takes longer has failed. */
  readinessTime: 3_000,
  /** An answer waits this long for the record of a refusal. */
  auditTime: 3_000,
  /** A call from one service to another, where the caller names no other time. */
  internalCallTime: 15_000,
  /** The largest answer of such a call. */
  internalAnswer: 4 * 1024 * 1024,
} as const;
