import { createSecretKey, createPublicKey } from 'node:crypto';
import { SignJWT } from 'jose';
import { SIGNED_TYPES } from '#libs/contract';
import { newPrivateJwk, publicPart } from '#libs/server';
import { claimsOf, forge } from './forging.mjs';

const MINUTE = 60_000;

/**
 * Answers that are not the truth, by what is wrong with them. Those that are signed by the true key are what it may once have signed.
 * @param key the true signing key
 * @param head the true end of the feed, more than 1
 * @param token a token that the true key signed
 */
export async function liesAbout({ issuer, key, head, token, entry }) {
  const stranger = await newPrivateJwk();
  const feed = (after, changes = {}) => ({
    iss: issuer,
    time: Date.now(),
    after,
    head,
    keys: [key.kid],
    entries: [],
    ...changes,
  });
  const typ = SIGNED_TYPES.revocations;
  const said = (signed) => ({ body: JSON.stringify({ data: { signed } }) });
  const signed = async (claims, by = key, header = {}) => said(await forge(by, claims, { typ, ...header }));
  const jwksOf = (...keys) => JSON.stringify({ issuer, keys });
  const plain = (header, claims) =>
    [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const publicPem = createPublicKey({ key: publicPart(key), format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  });
  const cutSignature = ({ body }) => ({ body: body.replace(/\.[\w-]+"/, '.AAAA"') });
  return {
    stranger,
    /** By somebody who answers for keys and feed alike. */
    replaced: async (after) => ({
      ...(await signed(feed(after, { keys: [stranger.kid] }), stranger)),
      jwks: jwksOf(publicPart(stranger)),
    }),
    /** Only the keys: the feed is true. */
    published: async () => ({ jwks: jwksOf(publicPart(key), publicPart(stranger)) }),
    wrong: {
      'no answer': async () => ({ cut: true }),
      'an error': async () => ({ status: 500, body: '{}' }),
      'a page': async () => ({ body: '<html>', headers: { 'content-type': 'text/html' } }),
      'a redirect': async () => ({ status: 302, body: '', headers: { location: 'https://localhost:1/' } }),
      'one of more than a minute ago': (after) => signed(feed(after, { time: Date.now() - MINUTE - 1000 })),
      'one that went back': (after) => signed(feed(after, { head: head - 1 })),
      'the beginning once more': () => signed(feed(0, { entries: [entry] })),
      'an answer to another question': (after) => signed(feed(after + 1, { head: head + 1 })),
      'one of another instance': (after) => signed(feed(after, { iss: `${issuer}0` })),
      'an entry of another kind': (after) =>
        signed(
          feed(after, { head: head + 1, entries: [{ kind: 'pardon', sequence: head + 1, id: entry.id }] }),
        ),
      'one of a stranger': (after) => signed(feed(after), stranger),
      'one of a stranger under the true key id': (after) => signed(feed(after), stranger, { kid: key.kid }),
      'one of a stranger who brings the key along': (after) =>
        signed(feed(after), stranger, { kid: key.kid, jwk: publicPart(stranger) }),
      'one of a stranger whose key is published beside the true one': async (after) => ({
        ...(await signed(feed(after, { keys: [key.kid, stranger.kid] }), stranger)),
        jwks: jwksOf(publicPart(key), publicPart(stranger)),
      }),
      'one of a stranger whose key is published under the true id': async (after) => ({
        ...(await signed(feed(after), stranger, { kid: key.kid })),
        jwks: jwksOf({ ...publicPart(stranger), kid: key.kid }),
      }),
      'a cut signature': async (after) => cutSignature(await signed(feed(after))),
      'no signature': async (after) => said(`${plain({ alg: 'none', typ, kid: key.kid }, feed(after))}.`),
      'the public key as a secret': async (after) =>
        said(
          await new SignJWT(feed(after))
            .setProtectedHeader({ alg: 'HS256', typ, kid: key.kid })
            .sign(createSecretKey(Buffer.from(publicPem))),
        ),
      'a token in place of a feed': async (after) =>
        signed({ ...claimsOf(token), ...feed(after) }, key, { typ: SIGNED_TYPES.accessToken }),
    },
  };
}
