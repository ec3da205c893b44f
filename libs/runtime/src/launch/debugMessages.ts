import type { Message } from '../answer.js';
import type { Facts } from '../facts.js';
import type { LaunchPlan, Step } from '../plan.js';

/** What a launch will do, line by line, for level DEBUG (runtime contract §1.2). Empty below it. */
export function debugMessages(facts: Facts, plan: LaunchPlan): readonly Message[] {
  if (plan.messages.level < 5) return [];
  const { namespaces, credentials } = plan;
  const others = [
    ...(namespaces.pid === null ? [] : ['pid']),
    ...(namespaces.ipc ? ['ipc'] : []),
    ...(namespaces.uts === null ? [] : ['uts']),
    ...(namespaces.net === 'host' ? [] : ['net']),
  ];
  return [
    `image ${facts.image.path}: ${facts.image.type}`,
    `user namespace: ${namespaces.user === null ? 'none' : JSON.stringify(namespaces.user.uidMap)}`,
    `other namespaces: ${['mnt', ...others].join(', ')}`,
    `session over ${plan.session.mountPoint}`,
    ...plan.steps.map(stepText),
    `capabilities: ${String(credentials.capabilities)}, no_new_privs: ${credentials.noNewPrivileges}`,
  ].map((text) => ({ level: 'DEBUG', text }));
}

function stepText(step: Step): string {
  if (step.kind === 'bind') {
    const { source } = step;
    const from = source.kind === 'handle' ? `descriptor ${source.handle}` : `${source.kind} ${source.path}`;
    return `bind ${from} on ${step.target.path}`;
  }
  if (step.kind === 'mount_file_system') return `mount ${step.fileSystem} on ${step.target.path}`;
  if (step.kind === 'mount_image')
    return `mount image by ${step.backends.map(({ kind }) => kind).join(', ')}`;
  return 'path' in step ? `${step.kind} ${step.path}` : step.kind;
}
