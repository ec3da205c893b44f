import { isAbsolute } from 'node:path';
import type { BuildRequest } from '#libs/contract';
import { type Digest, DomainError, expected, parseDigest } from '#libs/core';
import { type Definition, parseDefinition } from '#libs/deffile';
import { LIMITS } from './limits.js';

/** A submit that was understood; nothing about rights is decided yet. */
export interface Submission {
  readonly text: string;
  readonly definition: Definition;
  readonly libraryRef: string;
  readonly architecture: string;
  readonly contextDigest: Digest | undefined;
  readonly workingDirectory: string;
  readonly libraryUrl: string | undefined;
}

/** Bases that a remote build can have; the others name files of the client's machine (builder contract §9.4). */
const REMOTE_AGENTS = ['scratch', 'library'];
const LOCAL_AGENTS = ['localimage', 'oci', 'oci-archive', 'docker-archive', 'docker-daemon'];

/**
 * Understands `POST /v1/build` (builder contract §3.2).
 * @param architecture what this builder builds for (GOARCH)
 * @throws DomainError `bad_request` with what is missing or wrong, `too_large`
 */
export function parseSubmission(request: BuildRequest, architecture: string): Submission {
  const text = definitionText(request);
  const definition = parseDefinition(text);
  for (const stage of definition.stages) checkStage(stage.header?.get('bootstrap'));
  const asked = request.builderRequirements?.['arch'];
  if (asked !== undefined && asked !== '' && asked !== architecture) {
    throw new DomainError(
      'bad_request',
      expected(`one of the architectures that can be built here (${architecture})`, 'arch', asked),
      {
        reason: 'no_such_architecture',
        remedy: `Build for ${architecture}, or at a builder of that architecture.`,
      },
    );
  }
  for (const stage of definition.stages)
    checkSections(stage.scripts.has('pre'), stage.scripts.has('setup'), stage.apps.length > 0);
  const hostFiles = definition.stages.some((stage) =>
    stage.files.some((block) => block.stage === undefined && block.files.length > 0),
  );
  if (hostFiles && (request.contextDigest ?? '') === '') {
    throw new DomainError(
      'bad_request',
      '%files needs files of your machine: expected a contextDigest, got none',
      {
        reason: 'context_missing',
        remedy: 'Submit with a client that sends them, for example sing build --remote.',
      },
    );
  }
  const workingDirectory =
    request.workingDir === undefined || request.workingDir === '' ? '/' : request.workingDir;
  if (!isAbsolute(workingDirectory) || workingDirectory.includes('\0')) {
    throw new DomainError('bad_request', expected('an absolute path', 'workingDir', workingDirectory));
  }
  return {
    text,
    definition,
    libraryRef: request.libraryRef ?? '',
    architecture,
    contextDigest:
      request.contextDigest === undefined || request.contextDigest === ''
        ? undefined
        : parseDigest(request.contextDigest),
    workingDirectory,
    libraryUrl: libraryUrlOf(request.libraryURL),
  };
}

/** The first of the three forms that is there (builder contract §3.2). */
function definitionText(request: BuildRequest): string {
  const raw = request.definitionRaw ?? '';
  const text = raw === '' ? recipeOf(request) : decodeBase64(raw);
  if (Buffer.byteLength(text) > LIMITS.definitionBytes) {
    throw new DomainError(
      'too_large',
      expected(`at most ${LIMITS.definitionBytes} bytes`, 'the definition', Buffer.byteLength(text)),
    );
  }
  return text;
}

function recipeOf({ buildRecipe, buildReceipe, definition }: BuildRequest): string {
  for (const text of [buildRecipe, buildReceipe]) if (text !== undefined && text !== '') return text;
  // The parsed form carries the text of all its stages (builder contract §3.9).
  const full = definition?.['fullraw'] ?? definition?.['raw'];
  if (typeof full === 'string' && full !== '') return decodeBase64(full);
  throw new DomainError(
    'bad_request',
    'Expected a definition in definitionRaw, buildRecipe or definition, got none',
  );
}

function decodeBase64(text: string): string {
  // Line ends go first: a pattern that takes them in two places needs hours for megabytes of them.
  const packed = text.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(packed))
    throw new DomainError('bad_request', 'Expected base64 for definitionRaw');
  return Buffer.from(packed, 'base64').toString('utf8');
}

function checkStage(agent: string | undefined): void {
  if (agent === undefined)
    throw new DomainError('bad_request', 'no bootstrap specification found', {
      reason: 'bad_definition',
      remedy: 'Begin the definition with bootstrap: and from:, for example bootstrap: library.',
    });
  if (LOCAL_AGENTS.includes(agent)) {
    throw new DomainError(
      'bad_request',
      `bootstrap: ${agent} needs a file of your machine and cannot be built remotely`,
      {
        reason: 'bad_definition',
        remedy: 'Push the image to the library and use bootstrap: library, or build on your own machine.',
      },
    );
  }
  if (!REMOTE_AGENTS.includes(agent)) {
    throw new DomainError(
      'bad_request',
      `invalid build source ${JSON.stringify(agent)}: this builder knows ${REMOTE_AGENTS.join(', ')}`,
      {
        reason: 'bad_definition',
        remedy: REMOTE_AGENTS.includes(agent.toLowerCase())
          ? `Write it in small letters: ${agent.toLowerCase()}.`
          : 'Build the base on your own machine once, push it to the library, and use bootstrap: library.',
      },
    );
  }
}

function checkSections(pre: boolean, setup: boolean, apps: boolean): void {
  // They would run on the machine that builds, outside the container (builder contract §9.3).
  if (pre || setup)
    throw new DomainError('bad_request', '%pre and %setup run on the host and are refused in remote builds', {
      reason: 'bad_definition',
      remedy: 'Do what they do before the build, and bring the results in with %files.',
    });
  if (apps)
    throw new DomainError('bad_request', '%app sections are not offered by this builder yet', {
      reason: 'bad_definition',
      remedy: 'Put their lines into %environment, %post and %runscript, or make an image for each app.',
    });
}

function libraryUrlOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.username !== '') {
    throw new DomainError('bad_request', expected('an http(s) URL', 'libraryURL', text));
  }
  return text.replace(/\/+$/, '');
}
