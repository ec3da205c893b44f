import type { FastifyInstance } from 'fastify';
import type { DescribedName } from '../openapi/index.js';
import type { Metrics } from './metrics.js';

/** Whatever else a client invents is `other`. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** Of a request that no route was found for. */
const UNKNOWN = { route: 'none', service: 'none' } as const;
/** Seconds: a cached key, a page, a look-up that is held up, an upload, a build's log. */
const BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60];

/**
 * Counts requests, how long they take and how many are under way. Labels are templates of routes and never what was asked for: there
 * is one row for each route, method and kind of answer, and one for all unknown routes.
 * @param services whose routes they are, by their templates
 */
export function countRequests(
  fastify: FastifyInstance,
  metrics: Metrics,
  services: ReadonlyMap<string, DescribedName>,
): void {
  if (metrics.parts === undefined) return;
  const { prometheus, registry } = metrics.parts;
  const registers = [registry];
  const requests = new prometheus.Counter({
    name: 'scs_http_requests_total',
    help: 'Requests that were answered, by kind of answer (2xx); cut: the connection broke before the end',
    labelNames: ['service', 'route', 'method', 'status'] as const,
    registers,
  });
  const durations = new prometheus.Histogram({
    name: 'scs_http_request_duration_seconds',
    help: 'From the head of a request to the last byte of its answer',
    labelNames: ['service', 'route', 'method'] as const,
    buckets: BUCKETS,
    registers,
  });
  const underWay = new prometheus.Gauge({
    name: 'scs_http_requests_in_flight',
    help: 'Requests that are being answered, streams included',
    labelNames: ['service'] as const,
    registers,
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    const began = performance.now();
    const template = request.is404 ? undefined : request.routeOptions.url;
    const service = template === undefined ? undefined : services.get(template);
    const at = template === undefined || service === undefined ? UNKNOWN : { route: template, service };
    const labels = { ...at, method: METHODS.has(request.method) ? request.method : 'other' };
    underWay.inc({ service: at.service });
    // Comes also when the client has gone, and for answers that a handler writes by itself.
    reply.raw.once('close', () => {
      underWay.dec({ service: at.service });
      durations.observe(labels, (performance.now() - began) / 1000);
      const { writableFinished, statusCode } = reply.raw;
      requests.inc({ ...labels, status: writableFinished ? `${Math.floor(statusCode / 100)}xx` : 'cut' });
    });
    done();
  });
}
