import type { Facts } from '../facts.js';
import { instancePlace } from '../instance/place.js';
import type { InstanceOptions } from '../options/launchOptions.js';
import { absolutePath } from '../paths.js';
import type { AbsolutePath, Become, Bytes, Instance, Payload } from '../plan.js';
import { refusal } from '../refusal.js';
import type { ContainerEnvironment } from './environment.js';
import { plainEnvironment } from './environment.js';
import type { Home } from './home.js';
import type { Mode } from './mode.js';
import { SHELLS } from './payload.js';

/** Every capability but SYS_BOOT and SYS_RAWIO: what `--boot` leaves an init (runtime contract §1.4). */
export const BOOT_CAPABILITIES: readonly Bytes[] = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW ' +
  'IPC_LOCK IPC_OWNER SYS_MODULE SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE ' +
  'AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** What holds for every instance: the server of its image is its own, and lives as long as it does. */
export function instanceFacts(facts: Facts): Facts {
  return { ...facts, configuration: { ...facts.configuration, imageServerIdle: 0 } };
}

/**
 * The run of an instance (runtime contract §2.15).
 * @throws DomainError (status 255) where the site forbids PID namespaces, and for `--boot` of an ordinary user
 */
export function instanceRun(
  instance: InstanceOptions,
  become: Become,
  launch: {
    readonly facts: Facts;
    /** As the caller named it. */
    readonly imagePath: AbsolutePath;
    readonly home: Home;
    readonly mode: Mode;
  },
): Instance {
  const { facts, imagePath, home, mode } = launch;
  if (!facts.configuration.allowPidNamespace)
    throw refusal(
      'an instance needs a PID namespace of its own, which the configuration forbids ("allow pid ns = no")',
    );
  if (instance.boot && mode.kind !== 'root')
    throw refusal('Could not configure --boot: --boot requires root privileges');
  return {
    kind: 'instance',
    become,
    name: instance.name,
    place: instancePlace(facts),
    image: imagePath,
    home: home.destination,
    mode: mode.kind,
    boot: instance.boot,
    pidFile: instance.pidFile === null ? null : absolutePath(facts.workingDirectory, instance.pidFile),
  };
}

/** The image's own init, as process 1. */
export function bootPayload(environment: ContainerEnvironment): Payload {
  return {
    exec: {
      file: '/sbin/init',
      argv: ['/sbin/init'],
      env: plainEnvironment(environment).map(({ name, value }) => `${name}=${value}`),
      searchPath: [],
      shells: SHELLS,
    },
    script: null,
    scriptWhen: { kind: 'always' },
  };
}
