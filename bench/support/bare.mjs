// The least that a Nest application on Fastify does: one route, one constant answer with its headers, TLS. Run by bench/lookup.mjs as
//   node bare.mjs PORT CERTIFICATE_AND_KEY BYTES HEADERS_AS_JSON
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { Controller, Get, Header, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';

const [port, file, bytes, headers] = process.argv.slice(2);
const pem = readFileSync(file);
const answer = 'x'.repeat(Number(bytes));

/** Decorators by hand: this is no TypeScript. */
function route(target, name, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name);
  for (const decorate of decorators) decorate(target.prototype, name, descriptor);
}

class ConstantController {
  lookup() {
    return answer;
  }
}
route(
  ConstantController,
  'lookup',
  Get('lookup'),
  ...Object.entries(JSON.parse(headers)).map(([name, value]) => Header(name, value)),
);
Controller('pks')(ConstantController);

class BareModule {}
Module({ controllers: [ConstantController] })(BareModule);

const adapter = new FastifyAdapter({ https: { key: pem, cert: pem } });
const app = await NestFactory.create(BareModule, adapter, { logger: false });
await app.listen(Number(port), '127.0.0.1');
