/** Counts what was tried, and ends a drill with the first thing that worked and should not have. */
export class Attempts {
  count = 0;

  /**
   * @param what for the message, as a noun: `a token signed with …`
   * @param answer of the request
   * @param statuses with which it may be refused
   * @throws Error unless it was refused in this way
   */
  async refused(what, answer, ...statuses) {
    const { status, body, text, headers } = await answer;
    this.count += 1;
    const wanted = statuses.length === 0 ? [401] : statuses;
    if (!wanted.includes(status))
      throw new Error(`Expected ${wanted.join(' or ')} for ${what}, got ${status} ${text.slice(0, 200)}`);
    return { status, body, text, headers, reason: body?.error?.reason };
  }

  /** For what is no request. @throws Error unless `found` is what is expected */
  same(what, found, expected) {
    this.count += 1;
    const [one, two] = [JSON.stringify(found), JSON.stringify(expected)];
    if (one !== two) throw new Error(`Expected ${two} for ${what}, got ${one}`);
  }
}
