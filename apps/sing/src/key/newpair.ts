import { defineCommand, UsageError, type Surroundings } from '#libs/cli';
import { DomainError, expected, messageOf, systemClock } from '#libs/core';
import { KEY_FAILURE, openKeyRing, titleOf } from './ring.js';
import { urlFlag, withKeystore } from './server.js';

const ALGORITHMS = ['rsa4096', 'ed25519', 'rsa3072', 'rsa2048'] as const;

export const keyNewpair = defineCommand({
  name: 'newpair',
  summary: 'make a key pair for signing images',
  description: 'Asks for what is not given by flags. The private key stays on this machine.',
  failureStatus: KEY_FAILURE,
  flags: {
    name: { type: 'string', short: 'N', value: 'NAME', summary: 'your name' },
    email: { type: 'string', short: 'E', value: 'ADDRESS', summary: 'your e-mail address' },
    comment: { type: 'string', short: 'C', value: 'TEXT', summary: 'a comment in the user id' },
    password: {
      type: 'string',
      short: 'P',
      value: 'TEXT',
      summary: "passphrase of the private key; '' is none",
    },
    algorithm: {
      type: 'string',
      value: 'NAME',
      choices: ALGORITHMS,
      summary: 'kind of key; rsa4096 unless said otherwise',
    },
    'bit-length': { type: 'integer', short: 'b', value: 'N', summary: 'bits of an RSA key; 0 means 2048' },
    push: { type: 'boolean', short: 'U', summary: 'push the public key to the key server' },
    global: { type: 'boolean', short: 'g', hidden: true, summary: 'not allowed' },
    ...urlFlag,
  },
  examples: [
    { line: 'sing key newpair', summary: 'ask for everything' },
    {
      line: "sing key newpair --name 'Ann Lee' --email ann@example.org --password '' --algorithm ed25519",
      summary: 'ask for nothing',
    },
  ],
  async run(ctx) {
    const { flags, log } = ctx;
    if (flags.global) throw new UsageError('key newpair', 'a key pair cannot be made for all users');
    const algorithm = algorithmFrom(flags.algorithm, flags['bit-length']);
    const identity = await askFor(ctx, flags);
    const { armorKey, generateKey, publicPart, fingerprintOf } = await import('#libs/pgp');
    log.info(
      algorithm.startsWith('rsa') ? `Making an ${algorithm} key, this takes a moment …` : `Making a key …`,
    );
    const key = await generateKey({ ...identity, algorithm, clock: systemClock });
    const ring = await openKeyRing(ctx);
    await ring.import([key]);
    log.info(`Key pair made: ${await titleOf(key)}`);
    ctx.out.line(fingerprintOf(key));
    if (!flags.push) return;
    try {
      const armored = armorKey(await publicPart(key));
      await withKeystore(ctx, flags.url, (keystore) => keystore.add(armored, { signal: ctx.signal }));
      log.info('Public key pushed to the key server.');
    } catch (error) {
      ctx.signal.throwIfAborted();
      // "push failure only warns" (keystore contract §2.1): the pair is made and kept.
      log.warning(
        `The public key was not pushed: ${messageOf(error)}`,
        `Later: sing key push ${fingerprintOf(key)}`,
      );
    }
  },
});

interface Asked {
  readonly name: string | undefined;
  readonly email: string | undefined;
  readonly comment: string | undefined;
  readonly password: string | undefined;
}

async function askFor({ prompts }: Surroundings, { name, email, comment, password }: Asked) {
  const asked = name === undefined || email === undefined;
  const identity = {
    name: name ?? (await prompts.text({ message: 'Your name', flag: '--name', fromPipe: true })),
    email: email ?? (await prompts.text({ message: 'Your e-mail address', flag: '--email', fromPipe: true })),
  };
  // A script that gave name and address wants no comment; a person at the terminal may.
  const remark =
    comment ??
    (asked
      ? await prompts.text({ message: 'Comment (may be empty)', flag: '--comment', fromPipe: true })
      : '');
  return {
    ...identity,
    ...(remark === '' ? {} : { comment: remark }),
    passphrase: password ?? (await askTwice(prompts)),
  };
}

async function askTwice(prompts: Surroundings['prompts']): Promise<string> {
  const how = { flag: "--password (--password '' for none)", fromPipe: true };
  const first = await prompts.password({ message: 'Passphrase for the private key (may be empty)', ...how });
  if (first !== '' && (await prompts.password({ message: 'The same again', ...how })) !== first) {
    throw new DomainError('bad_request', 'The two passphrases differ', { reason: 'passphrase_mismatch' });
  }
  return first;
}

function algorithmFrom(name: string | undefined, bits: number | undefined): (typeof ALGORITHMS)[number] {
  if (bits === undefined) return ALGORITHMS.find((each) => each === name) ?? 'rsa4096';
  const wanted = `rsa${bits === 0 ? 2048 : bits}`;
  const found = ALGORITHMS.find((each) => each === wanted);
  if (found === undefined || (name !== undefined && name !== wanted)) {
    throw new UsageError('key newpair', expected('2048, 3072 or 4096, with RSA only,', '--bit-length', bits));
  }
  return found;
}
