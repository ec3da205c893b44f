import type { Answer, Message } from './answer.js';
import { asBytes, planText, printed } from './answers.js';
import { collectFacts } from './collectFacts.js';
import type { Host } from './host.js';
import { planLaunch } from './launch/planLaunch.js';
import type { LaunchOptions } from './options/launchOptions.js';
import { readOptions } from './options/readOptions.js';
import type { CommandWords } from './options/readOptions.js';

/**
 * Decides the launch that a command asks for, or prints its plan.
 * @param adjust what the command means beyond its flags
 * @throws DomainError, see readOptions, collectFacts and planLaunch
 */
export function answerLaunch(
  command: CommandWords,
  host: Host,
  adjust: (options: LaunchOptions) => LaunchOptions = (options) => options,
): Answer {
  const messages: Message[] = [];
  const options = adjust(readOptions(command, messages));
  const planned = planLaunch(options, collectFacts(host, options, command.environment));
  messages.push(...planned.messages);
  if (command.values.get('dry-run')?.on === true)
    return printed(command.messages, planText(planned.plan), messages);
  return { kind: 'launch', messages: messages.map(asBytes), plan: planned.plan };
}
