// The least that a Nest application on Fastify does: constant answers with their headers, TLS. Run by bench/keystore.mjs as
//   node bare.mjs PORT CERTIFICATE_AND_KEY ROUTES_AS_JSON
// GET /pks/0, /pks/1 … answer so many bytes with these headers; POST /pks/add takes whatever comes and answers a line.
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { Controller, Get, Header, HttpCode, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';

const [port, file, routes] = process.argv.slice(2);
const pem = readFileSync(file);

class ConstantController {
  add() {
    return 'added\n';
  }
}

/** Decorators by hand: this is no TypeScript. */
function route(name, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(ConstantController.prototype, name);
  for (const decorate of decorators) decorate(ConstantController.prototype, name, descriptor);
}

for (const [at, { bytes, headers }] of JSON.parse(routes).entries()) {
  const answer = 'x'.repeat(bytes);
  ConstantController.prototype[`get${at}`] = () => answer;
  route(`get${at}`, Get(String(at)), ...Object.entries(headers).map(([name, value]) => Header(name, value)));
}
route('add', Post('add'), HttpCode(200));
Controller('pks')(ConstantController);

class BareModule {}
Module({ controllers: [ConstantController] })(BareModule);

const adapter = new FastifyAdapter({ https: { key: pem, cert: pem } });
const app = await NestFactory.create(BareModule, adapter, { logger: false });
adapter
  .getInstance()
  .addContentTypeParser('application/pgp-keys', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
await app.listen(Number(port), '127.0.0.1');
