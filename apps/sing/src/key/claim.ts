import { defineCommand, jsonFlag, UsageError } from '#libs/cli';
import { KEY_FAILURE } from './ring.js';

export const keyClaim = defineCommand({
  name: 'claim',
  summary: 'prove to the key server that a key is yours',
  description:
    'Signs a text of the key server with the primary key. Then your account owns the key there: you hide user ids, remove it, and put it into keyrings. ' +
    'Whoever proves it last is the owner. For a key that is not in your key ring, on a card for example: print the text with --challenge, sign it with ' +
    'gpg --local-user FINGERPRINT! --clearsign, and send that with --signed, within ten minutes.',
  failureStatus: KEY_FAILURE,
  positionals: [
    { name: 'key', summary: 'fingerprint, or key id or part of the user id of a key in your key ring' },
  ],
  flags: {
    challenge: { type: 'boolean', summary: 'print the text that is to be signed, and nothing else' },
    signed: { type: 'string', value: 'FILE', summary: 'the text, signed elsewhere; - is standard input' },
    'passphrase-file': { type: 'string', value: 'FILE', summary: 'file whose first line unlocks the key' },
    ...jsonFlag,
  },
  examples: [
    { line: 'sing key claim ann@example.org', summary: 'with the private key of your key ring' },
    {
      line: 'sing key claim --challenge 7605BC2716168DF057D6C600ACEEC62C8BD91BEE > challenge',
      summary: 'to sign it with gpg',
    },
    {
      line: 'sing key claim --signed challenge.asc 7605BC2716168DF057D6C600ACEEC62C8BD91BEE',
      summary: 'what gpg --clearsign made of it',
    },
  ],
  async run(ctx) {
    const { flags, args } = ctx;
    if (flags.challenge && flags.signed !== undefined)
      throw new UsageError('key claim', 'use either --challenge or --signed');
    const { claim, printChallenge } = await import('./owning.js');
    if (flags.challenge) return printChallenge(ctx, args.key);
    return claim(ctx, args.key, {
      signed: flags.signed,
      passphraseFile: flags['passphrase-file'],
      json: flags.json,
    });
  },
});
