import type { Message } from '../answer.js';
import type { Facts } from '../facts.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { PreparedTarget, Step } from '../plan.js';
import { refusal } from '../refusal.js';
import type { Layers } from './layers.js';
import type { Mode } from './mode.js';
import { hasLayers, overlaySteps, underlaySteps } from './overlaySteps.js';

/**
 * What lies over the image, so that mount points that it lacks can be made: an overlay, an underlay, or nothing (null) where the image itself is written or
 * the site allows neither (runtime contract §2.4, "Layer choice"). Whether an overlay can be had here is known when it is mounted; its step says what is done then.
 * @throws DomainError (status 255) for what is asked and not allowed
 */
export function layerOf(
  options: LaunchOptions,
  facts: Facts,
  mode: Mode,
  layers: Layers,
  targets: readonly PreparedTarget[],
  messages: Message[],
): readonly Step[] | null {
  const { overlay, underlay } = facts.configuration;
  const warn = (text: string): void => void messages.push({ level: 'WARNING', text });
  if (options.underlay && underlay === 'no')
    throw refusal('--underlay is disabled by the configuration ("enable underlay = no")');
  if (options.writable === 'image' && layers.upper === null) {
    if (options.underlay) warn('Ignoring --underlay: with --writable mount points have to be in the image');
    return null;
  }
  if (!hasLayers(layers) && (options.underlay || underlay === 'preferred')) {
    if (options.writable === 'tmpfs')
      warn('Disabling --writable-tmpfs: it needs an overlay, and an underlay is taken instead');
    return underlaySteps(targets);
  }
  if (options.writable === 'tmpfs' && overlay === 'no')
    throw refusal(
      '--writable-tmpfs needs an overlay, which the configuration disables ("enable overlay = no")',
    );
  if (overlay === 'no') return underlay === 'no' ? null : underlaySteps(targets);
  const instead = overlay === 'try' ? 'refused' : 'unfit';
  return overlaySteps(options, mode, layers, targets, underlay === 'no' ? 'never' : instead);
}
