import { type Output, printable, type Surroundings } from '#libs/cli';
import type { CheckedToken } from '#libs/client';
import { DomainError, messageOf } from '#libs/core';
import type { Remote } from '../remotes/remotes.js';
import { withRemote, type Session } from '../session.js';

interface ServiceState {
  readonly service: string;
  readonly status: 'OK' | 'N/A';
  readonly version: string;
  readonly uri: string;
  readonly problem: string | undefined;
}

interface State {
  readonly services: readonly ServiceState[];
  readonly username: string | undefined;
  readonly email: string | undefined;
  /** undefined: there is no token. */
  readonly tokenValid: boolean | undefined;
  /** What the token service says about the token; some say nothing. */
  readonly token: Token | undefined;
}

type Token = NonNullable<CheckedToken['status']>;

/**
 * Asks every service of a remote how it is, and says it.
 * @throws DomainError `unavailable` when one does not answer, `unauthorized` when the stored token is refused
 */
export async function showStatus(
  place: Surroundings,
  remote: Remote,
  { json }: { readonly json: boolean },
): Promise<void> {
  const state = await withRemote(place, remote, (session) => ask(place, session));
  if (json) printJson(place, remote, state);
  else print(place, remote, state);
  judge(remote, state);
}

async function ask(place: Surroundings, session: Session): Promise<State> {
  const { serviceVersion, currentUser, checkToken } = await import('#libs/client');
  const { signal } = place;
  await session.uri('library');
  const uris = await session.uris();
  const services = await Promise.all(
    [...uris]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(async ([service, uri]): Promise<ServiceState> => {
        try {
          const version = await serviceVersion(await session.at(uri, { authorize: false }), { signal });
          return { service, status: 'OK', version, uri, problem: undefined };
        } catch (error) {
          signal.throwIfAborted();
          return { service, status: 'N/A', version: 'N/A', uri, problem: messageOf(error) };
        }
      }),
  );
  if (session.remote.token === undefined)
    return { services, username: undefined, email: undefined, tokenValid: undefined, token: undefined };
  const [user, { valid, status }] = await Promise.all([
    currentUser(await session.service('library'), { signal }),
    checkToken(await session.service('token'), { signal }),
  ]);
  const username = user?.username === '' ? undefined : user?.username;
  const email = user?.email === '' ? undefined : user?.email;
  return { services, username: username ?? status?.username, email, tokenValid: valid, token: status };
}

function print({ out, log }: Surroundings, remote: Remote, state: State): void {
  const { services, username, email, tokenValid, token } = state;
  log.info(`Checking status of remote "${remote.name}" at ${remote.frontend}`);
  out.table(
    ['SERVICE', 'STATUS', 'VERSION', 'URI'],
    services.map(({ service, status, version, uri }) => [title(service), status, version, uri]),
  );
  out.line();
  for (const { service, problem } of services) {
    if (problem !== undefined) log.warning(`${title(service)}: ${problem}`);
  }
  if (tokenValid === undefined) log.info(`Not logged in. Log in: sing remote login ${remote.name}`);
  else if (tokenValid && username !== undefined)
    out.line(`Logged in as: ${printable(email === undefined ? username : `${username} <${email}>`)}`);
  if (token !== undefined) printToken(out, token);
  out.line(`\n${tokenState(tokenValid)}`);
}

/** In the words of the stock programs, which scripts look for. */
function tokenState(valid: boolean | undefined): string {
  if (valid === undefined) return 'No authentication token set (logged out).';
  return valid
    ? 'Valid authentication token set (logged in).'
    : 'Authentication token is invalid (please login again).';
}

function printToken(out: Output, token: Token): void {
  const roles = Object.entries(token.organisations).map(([name, role]) => `${name} (${role})`);
  const account = [
    token.displayName,
    token.kind === 'robot' ? 'robot' : '',
    token.administrator ? 'administrator' : '',
  ];
  const lines = [
    ['Account', account.filter((word) => word !== '').join(', ')],
    ['Organisations', roles.length === 0 ? 'none' : roles.sort().join(', ')],
    ['Token allows', token.scopes.join(', ')],
    ['Valid until', token.expiresAt],
  ] as const;
  for (const [name, value] of lines) out.line(`${`${name}:`.padEnd(15)}${printable(value)}`);
}

function printJson({ out }: Surroundings, remote: Remote, state: State): void {
  const { services, username, tokenValid, token } = state;
  out.json({
    remote: remote.name,
    uri: remote.frontend,
    services: services.map(({ service, status, version, uri, problem }) => ({
      service,
      status,
      version,
      uri,
      ...(problem === undefined ? {} : { problem }),
    })),
    loggedIn: tokenValid === true,
    username: username ?? null,
    token: token ?? null,
  });
}

function judge(remote: Remote, { services, tokenValid }: State): void {
  const away = services.filter(({ status }) => status !== 'OK').map(({ service }) => title(service));
  if (away.length > 0) {
    throw new DomainError('unavailable', `Of ${remote.name} do not answer: ${away.join(', ')}`, {
      reason: 'services_away',
    });
  }
  if (tokenValid === false) {
    throw new DomainError('unauthorized', `${remote.name} refuses the stored token`, {
      reason: 'invalid_token',
      remedy: `It may have expired or been revoked. Log in again: sing remote login ${remote.name}`,
    });
  }
}

/** As the stock programs call it. */
function title(service: string): string {
  if (service === 'keystore') return 'Keyserver';
  return `${service.charAt(0).toUpperCase()}${service.slice(1)}`;
}
