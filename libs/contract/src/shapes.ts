import { z } from 'zod';

/** The id of an account, a token, an organisation. */
export const ObjectId = z.string().regex(/^[0-9a-f]{24}$/);
export const Time = z.iso.datetime();
