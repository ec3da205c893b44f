import { z } from 'zod';

/** An id in a path. What can be none is a bad request, so that no odd key reaches the database. */
export const ObjectIdParam = z.string().regex(/^[0-9a-f]{24}$/, { error: 'Expected 24 hexadecimal digits' });
