import { describe, expect, it } from 'vitest';
import { readS3Url } from './s3-url.js';

describe('the address of a place in an object store', () => {
  it.each([
    ['s3://images', 'images', ''],
    ['s3://images/', 'images', ''],
    ['s3://my.images-1/site/a_b', 'my.images-1', 'site/a_b/'],
    ['s3://images/site/', 'images', 'site/'],
    ['s3://images/.hidden/..x', 'images', '.hidden/..x/'],
  ])('%s is a bucket and a prefix', (url, bucket, prefix) => {
    expect(readS3Url(url)).toEqual({ bucket, prefix });
  });

  it.each([
    's3://',
    's3://Images',
    's3://i',
    's3://images/a//b',
    's3://images/../b',
    's3://images/./b',
    's3://images/a b',
    's3://images/a?x=1',
    's3://key:secret@images/a',
    's3:/images',
    'file:/images',
  ])('%s is none', (url) => {
    expect(readS3Url(url)).toBeUndefined();
  });
});
