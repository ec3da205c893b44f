import type { Facts } from '../facts.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { AccountLine, Bytes, SessionPath, StageAccounts } from '../plan.js';
import type { Home } from './home.js';
import { SESSION } from './layout.js';
import type { Mode } from './mode.js';
import type { MountList } from './mountList.js';

/** The longest field that goes into a line of passwd or group. */
const LONGEST_FIELD = 1024;

/** A field of passwd must not break its line: what would is left empty. */
function field(text: Bytes): Bytes {
  return text.length > LONGEST_FIELD || text.includes(':') || text.includes('\n') ? '' : text;
}

/** The caller as a line of the container's /etc/passwd; in a fakeroot container that is root. */
function accountLine(facts: Facts, mode: Mode, home: Home): AccountLine {
  const { identity, account, environment } = facts;
  if (mode.kind === 'fakeroot')
    return { name: 'root', uid: 0, gid: 0, gecos: 'root', home: field(home.destination), shell: '/bin/sh' };
  const name = field(account?.name ?? environment.get('USER') ?? '') || `user${identity.uid}`;
  return {
    name,
    uid: identity.uid,
    gid: identity.gid,
    gecos: field(account?.gecos ?? ''),
    home: field(home.destination) || '/',
    shell: field(account?.shell ?? '') || '/bin/sh',
  };
}

/**
 * Stages /etc/passwd and /etc/group of `rootfs` (runtime contract §2.7), or null when neither is wanted. Who is root inside has the files of a writable
 * image themselves: `useradd` replaces them, which it could not with a mount on them, and what it wrote would be gone.
 */
export function stageAccounts(
  options: LaunchOptions,
  facts: Facts,
  mode: Mode,
  home: Home,
  rootfs: SessionPath,
): StageAccounts | null {
  const { configuration, identity } = facts;
  if (options.writable === 'image' && (identity.effectiveUid === 0 || mode.kind === 'fakeroot')) return null;
  const user = accountLine(facts, mode, home);
  const passwd = configuration.configPasswd ? { to: SESSION.passwd, user } : null;
  const groups = mode.kind === 'fakeroot' ? [{ gid: 0, name: 'root' }] : facts.groups;
  const named = groups.filter(({ name }) => field(name) !== '');
  const group =
    configuration.configGroup && named.length > 0
      ? { to: SESSION.group, userName: user.name, groups: named }
      : null;
  return passwd === null && group === null ? null : { kind: 'stage_accounts', rootfs, passwd, group };
}

/** The staged files of /etc: accounts, name servers, host name. */
export function addFiles(
  list: MountList,
  options: LaunchOptions,
  facts: Facts,
  accounts: StageAccounts | null,
): void {
  const staged = (path: string, to: string): void =>
    list.bind({
      source: { kind: 'session', path },
      to,
      prepare: null,
      recursive: false,
      onFailure: 'warning',
    });
  if (accounts !== null && accounts.passwd !== null) staged(accounts.passwd.to, '/etc/passwd');
  if (accounts !== null && accounts.group !== null) staged(accounts.group.to, '/etc/group');
  if (options.nameServers.length > 0) {
    const content = options.nameServers.map((server) => `nameserver ${server}\n`).join('');
    list.file(SESSION.resolvConf, content, 0o644);
    list.bind({
      source: { kind: 'session', path: SESSION.resolvConf },
      to: '/etc/resolv.conf',
      prepare: 'file',
      recursive: false,
      onFailure: 'fatal',
    });
  } else if (facts.configuration.configResolvConf && facts.paths.get('/etc/resolv.conf')?.type === 'file') {
    list.host('/etc/resolv.conf', '/etc/resolv.conf', 'file', 'warning');
  }
  if (options.hostname !== null && facts.configuration.allowUtsNamespace) {
    list.file(SESSION.hostname, `${options.hostname}\n`, 0o644);
    list.bind({
      source: { kind: 'session', path: SESSION.hostname },
      to: '/etc/hostname',
      prepare: 'file',
      recursive: false,
      onFailure: 'warning',
    });
  }
}
