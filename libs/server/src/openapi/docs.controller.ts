import { Controller, Get, Inject, Param } from '@nestjs/common';
import { DomainError } from '#libs/core';
import { Anonymous } from '../auth/decorators.js';
import type { OpenApi } from './document.js';

/** The services in this process, by name, each with what makes its description. */
export type Descriptions = ReadonlyMap<string, () => OpenApi>;
/** Injection token of {@link Descriptions}. */
export const DESCRIPTIONS = Symbol('descriptions of services');

/** `/docs/<service>.json`: which routes a service has and what they take. */
@Controller('docs')
export class DocsController {
  constructor(@Inject(DESCRIPTIONS) private readonly descriptions: Descriptions) {}

  @Get('*')
  @Anonymous()
  describe(@Param('*') file: string): OpenApi {
    const found = this.descriptions.get(file.replace(/\.json$/, ''));
    if (found !== undefined && file.endsWith('.json')) return found();
    const names = [...this.descriptions.keys()].map((name) => `/docs/${name}.json`);
    throw new DomainError('not_found', `Expected one of ${names.join(', ')}`);
  }
}
