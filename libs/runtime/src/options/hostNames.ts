import type { Bytes } from '../plan.js';
import { parseCount } from '../bytes.js';

/** A host name of RFC 1123: labels of letters, digits and inner hyphens, at most 63 each, at most 64 in all (the kernel's limit). */
export function isHostName(name: Bytes): boolean {
  return name.length <= 64 && name.split('.').every(isLabel);
}

function isLabel(label: Bytes): boolean {
  if (label === '' || label.length > 63 || label.startsWith('-') || label.endsWith('-')) return false;
  for (let index = 0; index < label.length; index += 1)
    if (!isLabelCharacter(label.charCodeAt(index))) return false;
  return true;
}

function isLabelCharacter(code: number): boolean {
  const letter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return letter || (code >= 0x30 && code <= 0x39) || code === 0x2d;
}

/** An IPv4 or IPv6 address as text, without zone. */
export function isNameServer(text: Bytes): boolean {
  return text.includes(':') ? isIpv6(text) : isIpv4(text);
}

function isIpv4(text: Bytes): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => part.length <= 3 && (parseCount(part) ?? 256) < 256);
}

function isIpv6(text: Bytes): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const last = groups[groups.length - 1] ?? '';
  const dotted = last.includes('.');
  if (dotted && !isIpv4(last)) return false;
  const count = groups.length + (dotted ? 1 : 0);
  if (!(dotted ? groups.slice(0, -1) : groups).every(isHexGroup)) return false;
  return halves.length === 2 ? count <= 7 : count === 8;
}

function isHexGroup(group: Bytes): boolean {
  if (group === '' || group.length > 4) return false;
  for (const digit of group) if (!'0123456789abcdefABCDEF'.includes(digit)) return false;
  return true;
}
