import { describe, expect, it } from 'vitest';
import type { MountOverlay, Step } from '../plan.js';
import { baseHost, overlayImages } from '../testing/fakeHost.js';
import { kinds, launch, planOf, warnings } from '../testing/launches.js';
import type { Change } from '../testing/launches.js';

const base = baseHost();
const host = { images: { ...base.images, ...overlayImages() } };
const site = (overlay: 'yes' | 'no' | 'try', underlay: 'yes' | 'no' | 'preferred'): Change => ({
  configuration: { overlay, underlay },
});
/** What makes the root of a launch: `overlay` with when an underlay takes its place, `underlay`, or `image`. */
function rootOf(change: Change): string {
  const plan = planOf(change);
  const last = plan.steps.findLast(
    (step): step is Extract<Step, { at: string }> => 'at' in step && step.at === plan.root,
  );
  if (last?.kind === 'mount_overlay') return `overlay, ${last.underlay}`;
  return last?.kind === 'mount_underlay' ? 'underlay' : 'image';
}

describe('what makes mount points that an image lacks', () => {
  it.each([
    ['try', 'yes', 'overlay, refused'],
    ['yes', 'yes', 'overlay, unfit'],
    ['try', 'no', 'overlay, never'],
    ['yes', 'no', 'overlay, never'],
    ['no', 'yes', 'underlay'],
    ['no', 'no', 'image'],
    ['try', 'preferred', 'underlay'],
    ['no', 'preferred', 'underlay'],
  ] as const)('enable overlay = %s, enable underlay = %s: %s', (overlay, underlay, made) => {
    expect(rootOf(site(overlay, underlay))).toBe(made);
  });

  it('--underlay asks for one, whatever overlays are to be had', () => {
    for (const overlay of ['yes', 'no', 'try'] as const)
      expect(rootOf({ ...site(overlay, 'yes'), options: { underlay: true } })).toBe('underlay');
  });

  it('an underlay has the mount points of the plan, in the layer that it takes', () => {
    const plan = planOf({ options: { underlay: true } });
    const made = plan.steps.find((step) => step.kind === 'prepare_targets');
    expect(made).toMatchObject({ rootfs: 'rootfs', layer: 'lower' });
    expect(made?.targets).toEqual(planOf().steps.find((step) => step.kind === 'prepare_targets')?.targets);
    expect(plan.steps.find((step) => step.kind === 'mount_underlay')).toEqual({
      kind: 'mount_underlay',
      layer: 'lower',
      rootfs: 'rootfs',
      at: 'root',
    });
    expect(kinds(plan)).not.toContain('mount_overlay');
  });

  it('no underlay takes the place of an overlay that is written or has layers', () => {
    expect(rootOf({ options: { writable: 'tmpfs' } })).toBe('overlay, never');
    const plan = planOf({ host, options: { overlays: [{ path: '/layer', readOnly: true }] } });
    const overlays = plan.steps.filter((step): step is MountOverlay => step.kind === 'mount_overlay');
    expect(overlays.map(({ underlay }) => underlay)).toEqual(['never', 'never']);
  });

  it('where an underlay is preferred, an overlay that is needed is made', () => {
    const wanted = { overlays: [{ path: '/layer', readOnly: true }] };
    expect(rootOf({ ...site('try', 'preferred'), host, options: wanted })).toBe('overlay, never');
  });

  it.each([
    ['--underlay', { options: { underlay: true, writable: 'tmpfs' } }],
    ['preferred', { ...site('try', 'preferred'), options: { writable: 'tmpfs' } }],
  ] as const)('--writable-tmpfs is switched off with a warning by %s', (_, change) => {
    const planned = launch(change);
    expect(warnings(planned)).toEqual([expect.stringContaining('Disabling --writable-tmpfs')]);
    expect(kinds(planned.plan)).toContain('mount_underlay');
  });

  it('--underlay says nothing to a writable image', () => {
    const planned = launch({ options: { underlay: true, writable: 'image' } });
    expect(warnings(planned)).toEqual([expect.stringContaining('Ignoring --underlay')]);
    expect(planned.plan.root).toBe('rootfs');
  });

  it.each([
    ['with --overlay', { host, options: { underlay: true, overlays: [{ path: '/layer', readOnly: true }] } }],
    ['of an image with an overlay partition', { host, options: { underlay: true, image: '/overlay.sif' } }],
  ] as const)('--underlay is refused %s', (_, change) => {
    expect(() => launch(change)).toThrow('--underlay and an overlay exclude each other');
  });

  it('--underlay is refused where the site forbids it', () => {
    expect(() => launch({ ...site('try', 'no'), options: { underlay: true } })).toThrow(
      'enable underlay = no',
    );
  });
});
