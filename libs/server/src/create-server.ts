import 'reflect-metadata';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { DynamicModule, INestApplication, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { ScsConfig } from '#libs/config';
import { systemClock, type Clock } from '#libs/core';
import { AuditDesk } from './audit/index.js';
import { RemoteAuthority, requireListedRoutes, routesOf, TokenUses, TokenVerifier } from './auth/index.js';
import { CoreModule } from './core.module.js';
import { takeAddresses } from './http/address.js';
import { takeRawBodies } from './http/bodies.js';
import { answerClientError, answerExpectation } from './http/client-error.js';
import { limitConnections } from './http/connections.js';
import { failureOf, JSON_TYPE } from './http/envelope.js';
import { ErrorsFilter } from './http/errors.filter.js';
import { addHooks } from './http/hooks.js';
import { listen, listenMetrics, listenRedirect } from './http/listen.js';
import { methodsAt, tidyTarget } from './http/paths.js';
import { createRedirect } from './http/redirect.js';
import { InternalClient } from './internal-client.js';
import { LIMITS } from './limits.js';
import { NestLog, type Logger } from './log.js';
import { describeProcess } from './metrics/describe-process.js';
import { Metrics } from './metrics/index.js';
import { createMetricsServer } from './metrics/listener.js';
import { countRequests } from './metrics/requests.js';
import { describeServices, servicesByRoute } from './openapi/index.js';
import { Readiness } from './readiness.js';
import { boundUnsent } from './streaming/index.js';
import { Certificates, checkAuthorities } from './tls/certificates.js';
import { raiseTlsFloor } from './tls/floor.js';
import { UpgradeRouter, wantsWebSocket } from './upgrade.js';

export type ServiceModule = Type | DynamicModule;

export interface ServerOptions {
  readonly config: ScsConfig;
  readonly modules: readonly ServiceModule[];
  readonly log: Logger;
  readonly clock?: Clock;
  /** Only for tests of this library: open routes (`GET /x`) of modules that no product contains. */
  readonly alsoOpen?: readonly string[];
}

/** A server that listens. */
export interface RunningServer {
  readonly url: string;
  readonly app: INestApplication;
  /** The bare server, for tests that need its sockets. */
  readonly http: HttpServer | HttpsServer;
  readonly certificates: Certificates | undefined;
  readonly readiness: Readiness;
  /** Refuses new requests, lets those in flight end (at most LIMITS.shutdownTime), closes what the services opened. */
  close(): Promise<void>;
}

/**
 * Builds a server from the modules of services and starts to listen. The modules are initialised (recovery included) before the
 * port opens.
 * @throws DomainError one sentence for what an operator can repair: a taken port, a bad certificate, a database that refuses
 */
export async function createServer(options: ServerOptions): Promise<RunningServer> {
  const { config, modules, log, clock = systemClock } = options;
  raiseTlsFloor();
  checkAuthorities(config);
  const certificates = config.insecureHttp ? undefined : await Certificates.open(config, clock, log);
  const metrics = await Metrics.open(config);
  const verifier = new TokenVerifier({ clock, warn: (message) => log.warn(message) });
  const uses = new TokenUses({
    authority: () => verifier.authority,
    elapsed: () => performance.now(),
    debug: (message) => log.debug(message),
  });
  const parts = {
    config,
    clock,
    log,
    verifier,
    uses,
    upgrades: new UpgradeRouter(log, (token, audience, goesOn) => verifier.verify(token, audience, goesOn)),
    readiness: new Readiness(log),
    internal: new InternalClient(config, () => certificates?.current.cert),
    descriptions: describeServices([...modules, CoreModule], config.version),
    audit: new AuditDesk(log),
    metrics,
  };
  parts.readiness.register('tokens', async () => verifier.requireFresh());
  const core = CoreModule.of(parts);
  const exempt = new Set(options.alsoOpen);
  const routes = routesOf([core, ...modules]);
  requireListedRoutes(routes.filter(({ method, path }) => !exempt.has(`${method} ${path}`)));
  let stopping = false;
  const adapter = new FastifyAdapter(fastifyOptions(certificates) as never);
  const fastify = adapter.getInstance();
  takeAddresses(fastify, config.trustedProxies);
  // Before whatever answers by itself.
  countRequests(fastify, metrics, servicesByRoute([...modules, CoreModule]));
  addHooks(fastify, {
    log,
    config,
    stopping: () => stopping,
    answered: (actor, from) => uses.used(actor, from),
  });
  takeRawBodies(fastify);
  const app = await NestFactory.create<NestFastifyApplication>(
    { module: RootModule, imports: [core, ...modules] },
    adapter,
    {
      logger: new NestLog(log),
      bodyParser: false,
      abortOnError: false,
      routeConflictPolicy: { duplicate: 'error' },
    },
  );
  app.useGlobalFilters(new ErrorsFilter(log, parts.audit, methodsAt(routes)));
  const http = app.getHttpServer();
  http.on('checkExpectation', answerExpectation);
  limitConnections(http, log);
  parts.upgrades.attach(http);
  const redirect = config.httpPort === undefined ? undefined : createRedirect(config.publicUrl);
  describeProcess(metrics, { config, readiness: parts.readiness, upgrades: parts.upgrades });
  const shown = metrics.on ? createMetricsServer(metrics, certificates?.current, log) : undefined;
  const close = async (): Promise<void> => {
    stopping = true;
    const force = setTimeout(() => http.closeAllConnections(), LIMITS.shutdownTime).unref();
    redirect?.close();
    redirect?.closeAllConnections();
    shown?.close();
    shown?.closeAllConnections();
    certificates?.stop();
    await app.close();
    clearTimeout(force);
  };
  try {
    await app.init();
    // The auth service has said by now that it is here; otherwise it is asked over HTTPS.
    if (!verifier.connected) verifier.useAuthority(new RemoteAuthority(parts.internal));
    verifier.start();
    await listen(app, config);
    boundUnsent(http, log);
    if (redirect !== undefined) await listenRedirect(redirect, config);
    if (shown !== undefined) await listenMetrics(shown, config);
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
  certificates?.follow(http as HttpsServer);
  if (shown !== undefined) certificates?.follow(shown as HttpsServer);
  return { url: config.publicUrl, app, http, certificates, readiness: parts.readiness, close };
}

class RootModule {}

function fastifyOptions(certificates: Certificates | undefined): object {
  const server = {
    maxHeaderSize: LIMITS.headers,
    headersTimeout: LIMITS.headersTime,
    shouldUpgradeCallback: wantsWebSocket,
    noDelay: true,
    // A client whose machine has gone says nothing, and a websocket that waits for news sends nothing: the kernel asks.
    keepAlive: true,
    keepAliveInitialDelay: LIMITS.probeTime,
    // Node would answer without the envelope; hooks.ts looks at it.
    requireHostHeader: false,
  };
  return {
    logger: false,
    ...(certificates === undefined ? { http: server } : { https: { ...server, ...certificates.current } }),
    routerOptions: { maxParamLength: LIMITS.routeParameter },
    rewriteUrl: ({ url = '/' }: IncomingMessage) => tidyTarget(url),
    // It would take host and scheme from headers, too; see http/address.ts.
    trustProxy: false,
    // Bodies are streams: their handlers bound size and time, and the watch in bodies.ts cuts who stops sending.
    requestTimeout: 0,
    keepAliveTimeout: LIMITS.keepAliveTime,
    return503OnClosing: false,
    frameworkErrors: (error: Error, _request: unknown, reply: { raw: ServerResponse }) => {
      const { status, body } = failureOf(error);
      reply.raw.writeHead(status, { 'content-type': JSON_TYPE });
      reply.raw.end(JSON.stringify(body));
    },
    clientErrorHandler: answerClientError,
  };
}
