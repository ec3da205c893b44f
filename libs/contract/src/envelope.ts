import { z } from 'zod';

/** The body of every answer that went wrong, at every service (library contract §3, builder contract §2.2). */
export const ErrorEnvelope = z.object({
  error: z.object({
    /** The HTTP status again: stock clients print it from here. */
    code: z.number().int(),
    message: z.string(),
    /** Stable snake_case word for programs; an extra key that stock clients ignore. */
    reason: z.string().optional(),
    /** What helps, as a sentence or a command; stock clients do not show it. */
    remedy: z.string().optional(),
  }),
});
export type ErrorEnvelope = z.infer<typeof ErrorEnvelope>;

export const Page = z.object({
  prev: z.string().optional(),
  next: z.string().optional(),
  totalSize: z.number().int().optional(),
});

/** The success envelope `{"data": …}` around `data`. */
export function envelope<T extends z.ZodType>(data: T) {
  return z.object({ data, page: Page.optional() });
}

/** `GET /version` of every service (library contract §2.4). */
export const VersionAnswer = envelope(z.object({ version: z.string(), apiVersion: z.string() }));
export type VersionAnswer = z.infer<typeof VersionAnswer>;
