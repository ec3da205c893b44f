import type { Container } from '../tree/documents.store.js';

/** `entity/collection/container`. */
export function containerPath({ value }: Container): string {
  return `${value.entityName}/${value.collectionName}/${value.name}`;
}
