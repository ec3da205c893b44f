import type { Packet } from '../packets/reader.js';
import type { Certificate, Proven } from './components.js';

/** A signature that was verified when it was stored. */
export interface Verified {
  readonly proven: Proven;
  /** What it binds or revokes; undefined for the primary key. */
  readonly component: Packet | undefined;
  /** The word of the subkey that it belongs here. */
  readonly back: Proven | undefined;
}

/** Every signature of a stored certificate, by what it is known by. */
export function verifiedIn(certificate: Certificate): [string, Verified][] {
  const entry = (proven: Proven, component?: Packet, back?: Proven): [string, Verified] => [
    proven.identity,
    { proven, component, back },
  ];
  return [
    ...[...certificate.revocations, ...certificate.direct].map((proven) => entry(proven)),
    ...certificate.userIds.flatMap(({ packet, bindings, revocations }) =>
      [...bindings, ...revocations].map((proven) => entry(proven, packet)),
    ),
    ...certificate.subkeys.flatMap(({ packet, bindings, revocations, back }) => [
      ...bindings.map((proven) => entry(proven, packet, back)),
      ...revocations.map((proven) => entry(proven, packet)),
    ]),
  ];
}
