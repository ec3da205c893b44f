import { constants } from 'node:os';
import { planCommands, startPlan, systemHost } from '#libs/runtime';
import { messageOf } from '#libs/core';
import { buildFailure } from './failure.js';
import type { ContainerRunner, RunRequest, RunResult } from './runner.js';

/** A path or text as the planner wants it: one character per byte. */
const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

const signalName = (number: number): string =>
  Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? String(number);

/** Runs commands with launch plans of their own (runtime: planCommands). */
export class NamespaceRunner implements ContainerRunner {
  async run(request: RunRequest): Promise<RunResult> {
    const [program, ...args] = request.command;
    if (program === undefined) throw new TypeError('Expected a command to run');
    const plan = planCommands(systemHost(), {
      root: bytes(request.root),
      writable: request.writable,
      binds: request.binds.map(({ source, destination, readOnly }) => ({
        source: bytes(source),
        destination: bytes(destination),
        readOnly,
      })),
      temporary: null,
      network: request.network,
      commands: [
        {
          name: request.name,
          command: [bytes(program), ...args.map(bytes)],
          environment: Object.entries(request.environment).map(([name, value]) => bytes(`${name}=${value}`)),
          workingDirectory: '/',
          always: false,
        },
      ],
    });
    const container = startPlan(plan);
    const abort = (): void => container.kill();
    request.signal?.addEventListener('abort', abort, { once: true });
    // A script may write to both: what a reader of the log wants is the order in which it came.
    container.stdout.on('data', request.output);
    container.stderr.on('data', request.output);
    try {
      const { status, signal, fault, commands } = await container.ended;
      if (fault !== null) throw buildFailure(`${request.name} could not be started: ${fault.message}`);
      const number = commands[0]?.signal ?? null;
      return {
        status: status ?? undefined,
        signal: number === null ? (signal ?? undefined) : signalName(number),
      };
    } catch (error) {
      if (error instanceof Error && error.name === 'DomainError') throw error;
      throw buildFailure(`${request.name} could not be started: ${messageOf(error)}`, { cause: error });
    } finally {
      request.signal?.removeEventListener('abort', abort);
    }
  }
}
