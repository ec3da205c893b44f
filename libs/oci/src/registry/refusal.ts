import { z } from 'zod';
import { type Answer, codeOf, ResponseError } from '#libs/client';
import { REGISTRY_LIMITS } from './limits.js';

/** Statuses that a registry refuses with; whatever else comes is a fault of the way to it. */
export const REFUSALS: readonly number[] = [400, 401, 403, 404, 405, 409, 413, 415, 416, 422];

/** "errors": what registries say (OCI distribution specification, "Error codes"). */
const Refusal = z.object({
  errors: z
    .array(z.object({ code: z.string().max(200), message: z.string().max(2000).optional() }))
    .min(1)
    .max(100),
});

const WORDS: Readonly<Record<number, string>> = {
  401: 'wants to know who asks',
  403: 'does not allow it',
  404: 'does not have it',
  413: 'takes nothing of that size',
};

/**
 * The error that a refusal stands for.
 * @param what is asked for, for example `host/name:tag`
 */
export async function refused(answer: Answer, what: string, login: string): Promise<ResponseError> {
  const said = await words(answer);
  const { status } = answer;
  const message = `The registry ${WORDS[status] ?? `answers with status ${status}`}: ${what}${said === '' ? '' : ` (${said})`}`;
  const remedy = REMEDIES[status]?.(login);
  return new ResponseError(status, message, {
    code: codeOf(status),
    reason: status === 404 ? 'image_not_found' : `registry_${status}`,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

const REMEDIES: Readonly<Record<number, (login: string) => string>> = {
  401: (login) => `Log in, or look whether the password is right: ${login}`,
  403: (login) => `Ask the owner for the right, or log in as somebody who has it: ${login}`,
  404: () => 'Look for the name and the tag; some registries say so, too, when you may not see it',
};

async function words(answer: Answer): Promise<string> {
  try {
    const parsed = Refusal.safeParse(JSON.parse(await answer.text(REGISTRY_LIMITS.error)));
    const [first] = parsed.success ? parsed.data.errors : [];
    return first === undefined ? '' : (first.message ?? first.code);
  } catch {
    // A body that cannot be read changes nothing about the refusal.
    return '';
  }
}
