import {
  type Actor,
  AUDIT_LIMITS,
  type AuditAction,
  type AuditOutcome,
  type AuditState,
  type AuditSubject,
  type RequestOrigin,
} from '#libs/contract';

/** Of an actor, what the trail keeps. Its token is not among it. */
export type Caller = Pick<Actor, 'accountId' | 'username' | 'tokenId' | 'originTokenId' | 'via' | 'from'>;

/** What a service says happened. */
export interface AuditEvent {
  readonly action: AuditAction;
  /** `done` when absent. */
  readonly outcome?: AuditOutcome;
  /** Null for what the service does by itself, and for who is not known. */
  readonly actor: Caller | null;
  /** Where the request came from, when the actor does not say it. */
  readonly from?: RequestOrigin;
  readonly subject: AuditSubject;
  readonly before?: AuditState;
  readonly after?: AuditState;
  /** A stable word in snake_case, as errors have it. Never a message: messages quote what people typed. */
  readonly reason?: string;
}

const TOKEN_LIKE = /eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?/g;

/**
 * Text without anything that looks like a signed token (RFC 7515: every header begins with `{"`, which is `eyJ` in base64).
 * People paste tokens where they do not belong: into names, addresses and the configuration of a client.
 */
export function withoutTokens(text: string): string {
  return text.replace(TOKEN_LIKE, '***');
}

/** Text of a client for the trail: visible ASCII and spaces, without tokens, cut. */
export function visibleText(text: string, limit: number): string {
  return withoutTokens(text)
    .replace(/[^\u0020-\u007e]/g, '?')
    .slice(0, limit);
}

/** What a refused request was about, as far as its address says: the path as it was sent, without its query. */
export function requestSubject(target: string): AuditSubject {
  const [path = ''] = target.split('?', 1);
  const name = visibleText(path, AUDIT_LIMITS.subject).replaceAll(' ', '?');
  return { kind: 'request', name: name === '' ? '/' : name };
}

/** Where a request came from, as it is kept. */
export function requestOrigin(address: string, userAgent: string | undefined): RequestOrigin {
  return {
    address,
    client: userAgent === undefined ? undefined : visibleText(userAgent, AUDIT_LIMITS.client),
  };
}
