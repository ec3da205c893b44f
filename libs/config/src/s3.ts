import { expected } from '#libs/core';
import { isLoopback, type S3Settings } from './config.js';
import { Secret } from './secret.js';
import type { Settings } from './settings.js';

const OTHERS = [
  'SCS_S3_ENDPOINT',
  'SCS_S3_REGION',
  'SCS_S3_PUBLIC_ENDPOINT',
  'SCS_S3_ACCESS_KEY_ID',
  'SCS_S3_SECRET_ACCESS_KEY',
  'SCS_S3_CA_FILE',
] as const;
const KEYS = ['SCS_S3_ACCESS_KEY_ID', 'SCS_S3_SECRET_ACCESS_KEY'] as const;

/** The object store of the blobs; undefined where they are kept in a folder. */
export function s3Of(settings: Partial<Settings>): S3Settings | undefined {
  const { SCS_S3_ACCESS_KEY_ID: accessKeyId, SCS_S3_SECRET_ACCESS_KEY: secret } = settings;
  if (!isInStore(settings) || accessKeyId === undefined || secret === undefined) return undefined;
  return {
    endpoint: settings.SCS_S3_ENDPOINT,
    region: settings.SCS_S3_REGION ?? 'us-east-1',
    publicEndpoint: settings.SCS_S3_PUBLIC_ENDPOINT,
    accessKeyId,
    secretAccessKey: new Secret(secret),
    caFile: settings.SCS_S3_CA_FILE,
  };
}

/**
 * What is wrong with the way to the object store. Images travel to it and from it, and what it gives is not checked again: https,
 * on this machine too, where whoever may run a program can listen on its port when it is down. With SCS_INSECURE_HTTP=yes plain
 * HTTP on this machine, as for services.
 * @param given whether a setting has a value, right or wrong
 */
export function s3Faults(settings: Partial<Settings>, given: (name: keyof Settings) => boolean): string[] {
  const faults: string[] = [];
  if (given('SCS_BLOBS_URL') && settings.SCS_BLOBS_URL === undefined) return faults;
  if (isInStore(settings)) {
    for (const name of KEYS)
      if (!given(name)) faults.push(`Expected ${name} with an s3:// address in SCS_BLOBS_URL, got nothing`);
  } else
    for (const name of OTHERS)
      if (given(name)) faults.push(`Expected an s3:// address in SCS_BLOBS_URL with ${name}, got none`);
  for (const name of ['SCS_S3_ENDPOINT', 'SCS_S3_PUBLIC_ENDPOINT'] as const) {
    const url = settings[name];
    if (url?.startsWith('http:') !== true) continue;
    if (settings.SCS_INSECURE_HTTP === true && isLocal(url)) continue;
    faults.push(
      `${expected('an https address', name, url)}: images would travel unencrypted, and anybody could pose as the store`,
    );
  }
  return faults;
}

/** Clients are sent to their own machines by such an address, and every download from elsewhere fails. */
export function s3Warnings({ SCS_S3_PUBLIC_ENDPOINT: url }: Partial<Settings>, host: string): string[] {
  if (url === undefined || !isLocal(url) || isLoopback(host)) return [];
  return [
    `SCS_S3_PUBLIC_ENDPOINT is ${url}, which is another machine for each client: downloads from other machines will fail`,
  ];
}

function isInStore({ SCS_BLOBS_URL: url }: Partial<Settings>): boolean {
  return url?.startsWith('s3:') === true;
}

function isLocal(url: string): boolean {
  return isLoopback(new URL(url).hostname.replace(/^\[|\]$/g, ''));
}
