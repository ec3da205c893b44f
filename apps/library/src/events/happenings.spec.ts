import { describe, expect, it } from 'vitest';
import type { ImageDocument } from '../images/documents.store.js';
import type { Container } from '../tree/documents.store.js';
import { containerChanged, keyRevoked, tagRemoved } from './happenings.js';

const container: Container = {
  id: 'c1',
  revision: 1,
  value: {
    entity: 'e1',
    entityName: 'ann',
    collection: 'o1',
    collectionName: 'tools',
    name: 'blast',
    description: '',
    fullDescription: '',
    customData: '',
    private: false,
    readOnly: false,
    size: 0,
    downloadCount: 0,
    stars: 0,
    tags: 0,
    createdBy: 'ann',
    createdAt: '2026-01-01T00:00:00.000Z',
  },
};
const image: ImageDocument = {
  container: 'c1',
  hash: `sha256.${'a'.repeat(64)}`,
  description: '',
  customData: '',
  size: 5,
  uploaded: true,
  format: 'sif',
  arch: 'amd64',
  signed: true,
  encrypted: false,
  fingerprints: ['A'.repeat(40)],
  createdBy: 'ann',
  createdAt: '2026-01-01T00:00:00.000Z',
};

describe('what happens', () => {
  it('an image that has lost a signer says which one, and that nobody did it', () => {
    expect(keyRevoked(container, image, 'A'.repeat(40))).toEqual({
      kind: 'key.revoked',
      place: {
        entity: 'e1',
        entityName: 'ann',
        collection: 'o1',
        collectionName: 'tools',
        container: 'c1',
        containerName: 'blast',
        private: false,
      },
      by: null,
      details: { fingerprint: 'A'.repeat(40), hash: image.hash, arch: 'amd64' },
    });
  });

  it('a tag of an image that is gone has no hash', () => {
    const event = tagRemoved({
      container,
      tag: 'v1',
      arch: 'amd64',
      image: undefined,
      actor: { username: 'ann' },
    });
    expect(event.details).toEqual({ tag: 'v1', arch: 'amd64' });
  });

  it('a new name says the old one where that was no secret', () => {
    const before = { ...container.value, name: 'blast-old' };
    const by = { username: 'ann' };
    expect(containerChanged(container, before, by).details).toMatchObject({ formerName: 'blast-old' });
    expect(containerChanged(container, { ...before, private: true }, by).details).not.toHaveProperty(
      'formerName',
    );
    expect(containerChanged(container, container.value, by).details).not.toHaveProperty('formerName');
  });
});
