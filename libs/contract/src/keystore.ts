import { z } from 'zod';

const Certificate = z.object({ version: z.number().int(), fingerprint: z.string() });

/** `POST /pks/add` with `Accept: application/json` (keystore contract §1.9). */
export const KeyAddAnswer = z.object({
  inserted: z.array(Certificate),
  updated: z.array(Certificate),
  deleted: z.array(Certificate),
  /** Already stored with the same content. */
  ignored: z.array(Certificate),
  invalid: z.array(z.object({ comment: z.string() })),
});
export type KeyAddAnswer = z.infer<typeof KeyAddAnswer>;
