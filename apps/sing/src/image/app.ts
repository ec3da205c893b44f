import { DomainError } from '#libs/core';
import type { Attributes } from './metadata.js';

/** What an image says about one of its apps. @throws DomainError with status 1 (runtime contract §1.2) when it has none of that name */
export function appNamed(attributes: Attributes, name: string): Attributes {
  const app = attributes.apps?.[name];
  if (app !== undefined) return app;
  const known = Object.keys(attributes.apps ?? {}).join(', ');
  throw new DomainError('not_found', 'Could not locate the container application', {
    reason: 'unknown_app',
    exitCode: 1,
    remedy: known === '' ? 'The image has no apps' : `Apps of the image: ${known}`,
  });
}
