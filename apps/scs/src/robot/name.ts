import { parseRobotUsername } from '#libs/contract';
import { DomainError, expected } from '#libs/core';

/** The parts of a robot's name. @throws DomainError `bad_request` for what can be none */
export function parseRobot(text: string): { readonly organisation: string; readonly name: string } {
  const parts = parseRobotUsername(text);
  if (parts === undefined || parts.name === '')
    throw new DomainError('bad_request', expected('<organisation>.<name>', 'the robot', text));
  return parts;
}
