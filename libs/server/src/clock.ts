/** Injection token of the process's clock. */
export const CLOCK = Symbol('CLOCK');
