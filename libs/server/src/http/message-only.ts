import type { Failure } from './envelope.js';

/**
 * Programs that show a person `error.message` and nothing else of the envelope (library contract §3, builder contract §1):
 * SingularityCE, Singularity, SingularityPRO, Apptainer, scs-build, and Go's own name, which the first two use for parts of a push.
 */
const MESSAGE_ONLY = /^(?:singularity(?:-ce|pro)?|apptainer|scs-build|go-http-client)\//i;

/**
 * The answer as the client at the other end shows it best: with what helps as a second sentence of the message for those
 * that know no `remedy`. The field stays, status and reason too: programs read the same from every answer.
 * @param userAgent the header of the request
 */
export function forReaders(failed: Failure, userAgent: string | undefined): Failure {
  const { error } = failed.body;
  if (error.remedy === undefined || userAgent === undefined || !MESSAGE_ONLY.test(userAgent)) return failed;
  // They write "(403 Forbidden)" behind it: no full stop at the end.
  const remedy = error.remedy.replace(/\.$/, '');
  const message = `${error.message.replace(/\.$/, '')}. ${remedy}`;
  return { status: failed.status, body: { error: { ...error, message } } };
}
