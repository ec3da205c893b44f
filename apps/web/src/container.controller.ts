import { Controller, Get, Param } from '@nestjs/common';
import { DomainError, parsePushReference, type PushReference } from '#libs/core';
import { Anonymous, Page } from '#libs/server';
import { containerPage } from './container-page.js';

/** Where clients send people after a push (library contract §5, Completion), and after a detached build, with its tags. */
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
    const named = referenceAt([entity, collection, container].join('/'));
    if (named === undefined) throw new DomainError('not_found', 'There is no page at this address');
    return containerPage(named);
  }
}

/** What an address names: `entity/collection/container[:tag,…]`; undefined when it is no such thing. */
function referenceAt(path: string): PushReference | undefined {
  // A fourth part, written as %2F, would be a host.
  if (path.split('/').length !== 3) return undefined;
  try {
    return parsePushReference(path);
  } catch {
    return undefined;
  }
}
