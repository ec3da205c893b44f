import { Controller, Get, Param } from '@nestjs/common';
import { DomainError, isLibraryName } from '#libs/core';
import { Anonymous, Page } from '#libs/server';
import { containerPage } from './container-page.js';

/** Where clients send people after a push (library contract §5, Completion). */
@Controller('library')
export class ContainerController {
  /** Made from the address alone: it says nothing about whether there is such a container, so anybody may read it. */
  @Get(':entity/:collection/:container')
  @Anonymous()
  @Page()
  page(
    @Param('entity') entity: string,
    @Param('collection') collection: string,
    @Param('container') container: string,
  ): string {
    const names = [entity, collection, container];
    if (!names.every((name) => isLibraryName(name)))
      throw new DomainError('not_found', 'There is no page at this address');
    return containerPage(names.join('/'));
  }
}
