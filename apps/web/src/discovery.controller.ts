import { Controller, Get, Header } from '@nestjs/common';
import { ScsConfig } from '#libs/config';
import { DISCOVERY_PATH, type DiscoveryDocument } from '#libs/contract';
import { Anonymous } from '#libs/server';
import { discoveryDocument } from './discovery.js';

@Controller()
export class DiscoveryController {
  readonly #document: DiscoveryDocument;

  constructor(config: ScsConfig) {
    this.#document = discoveryDocument(config);
  }

  @Get(DISCOVERY_PATH)
  @Anonymous()
  @Header('cache-control', 'no-cache')
  discover(): DiscoveryDocument {
    return this.#document;
  }
}
