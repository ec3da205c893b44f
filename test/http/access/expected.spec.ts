import { describe, expect, test } from 'vitest';
import { CALLERS } from '../../support/access/callers.js';
import {
  cellsOf,
  expectedOf,
  expectedOfStranger,
  type Outcome,
  ruleOf,
} from '../../support/access/expected.js';
import { ACCESS, type ObjectName, type Rule } from '../../support/access/table.js';

/* What is computed from the table, against what was thought of by hand: the computation is as trusted as a guard. */

const ROWS = Object.values(ACCESS).flatMap((rows: Readonly<Record<string, Rule>>) => Object.entries(rows));
const hidden = (status: 403 | 404): Outcome => ({ kind: 'refused', status, asMissing: true });
const refused = (status: 401 | 403): Outcome => ({ kind: 'refused', status, asMissing: false });

test.each<[route: string, object: ObjectName, outcome: Outcome]>([
  ['GET /v1/containers/{path}', 'private', hidden(404)],
  ['GET /v1/containers/{path}', 'public', { kind: 'done' }],
  ['POST /v1/tags/{container}', 'private', hidden(404)],
  ['POST /v1/tags/{container}', 'public', refused(403)],
  ['POST /v1/entities', 'private', hidden(403)],
  ['GET /v1/search', 'private', { kind: 'done', shown: false }],
  ['GET /v1/build/{id}', "another person's", hidden(404)],
  ['GET /pks/lookup', 'private', hidden(404)],
  ['GET /pks/lookup', 'public', { kind: 'done' }],
  ['GET /v1/keys/{fingerprint}', 'private', hidden(404)],
  ['GET /v1/keys/{fingerprint}', 'public', { kind: 'done' }],
  ['DELETE /v1/keys/{fingerprint}', 'public', refused(403)],
  ['DELETE /v1/keys/{fingerprint}', "another person's", hidden(404)],
  ['POST /v1/keys/{fingerprint}/claim', "another person's", hidden(404)],
  ['POST /v1/keys/{fingerprint}/claim', 'forged', hidden(403)],
  ['PUT /v1/keys/{fingerprint}/hidden', 'own', { kind: 'done' }],
  ['PUT /v1/keyrings/{organisation}/keys/{fingerprint}', 'private', hidden(404)],
  ['GET /v1/keys/export', 'nothing', refused(403)],
  ['GET /v1/build/{id}', 'own', { kind: 'done' }],
  ['PUT /v1/build/{id}/_finish', 'own', hidden(403)],
  ['GET /v1/auth/users/{username}', "another person's", hidden(404)],
  ['POST /v1/auth/tokens', "a robot's", hidden(403)],
  ['POST /v1/auth/tokens', 'own', refused(403)],
  ['DELETE /v1/auth/tokens/{id}', 'itself', { kind: 'done' }],
  ['PATCH /v1/auth/organisations/{name}', 'private', hidden(404)],
  ['GET /v1/audit', 'nothing', refused(403)],
])('a stranger at %s, %s', (route, object, outcome) => {
  expect(expectedOfStranger(route, object)).toEqual(outcome);
});

test.each<[route: string, object: ObjectName, outcome: Outcome]>([
  ['GET /pks/lookup', 'private', hidden(404)],
  ['GET /v1/keys/{fingerprint}', 'private', { kind: 'done' }],
  ['DELETE /v1/keys/{fingerprint}', 'private', { kind: 'done' }],
  ['PUT /v1/keys/{fingerprint}/hidden', 'private', refused(403)],
  ['PUT /v1/keys/{fingerprint}/hidden', 'own', { kind: 'done' }],
  ['POST /v1/keys/{fingerprint}/claim', "another person's", hidden(404)],
  ['PUT /v1/keyrings/{organisation}/keys/{fingerprint}', 'private', hidden(404)],
  ['DELETE /v1/keyrings/{organisation}/keys/{fingerprint}', 'private', { kind: 'done' }],
])('the rank of an administrator at %s, %s', (route, object, outcome) => {
  const admin = CALLERS.find(({ name }) => name === 'admin');
  expect(admin && expectedOf(ruleOf(route), admin, object)).toEqual(outcome);
});

describe('whatever the rule', () => {
  test('what is wrong with a token is noticed, unless no token is looked at', () => {
    const faulty = CALLERS.filter(({ fault }) => fault !== undefined);
    const blind = ROWS.filter(([, rule]) =>
      rule.objects.some((object) =>
        faulty.some((caller) => {
          const outcome = expectedOf(rule, caller, object);
          return outcome !== undefined && (outcome.kind !== 'refused' || outcome.status === 403);
        }),
      ),
    );
    expect(blind.map(([route]) => route)).toEqual([
      'GET /version',
      'GET /{prefix}/version',
      'GET /{prefix}/{more}/version',
      'GET /pks/lookup',
      'GET /pks/stats',
      'GET /pks/health',
      'OPTIONS /pks/lookup',
      'OPTIONS /pks/stats',
      'OPTIONS /pks/add',
      'POST /pks/hashquery',
      'GET /pks/v2/certs/by-vfingerprint/{vfp}',
      'GET /pks/v2/certs/by-vfingerprint/{version}/{fingerprint}',
      'GET /pks/v2/certs/by-keyid/{id}',
      'GET /pks/v2/certs/by-identity/{identity}',
      'GET /pks/v2/index/{term}',
      'OPTIONS /pks/v2/{path}',
      'GET /pks/v2/{path}',
      'POST /pks/v2/{path}',
      'PUT /pks/v2/{path}',
      'GET /.well-known/openpgpkey/hu/{hash}',
      'GET /.well-known/openpgpkey/{domain}/hu/{hash}',
      'GET /.well-known/openpgpkey/policy',
      'GET /.well-known/openpgpkey/{domain}/policy',
      'PUT /v2/upload/{upload}/{part}',
      'PUT /v1/build-context/{digest}/_upload',
      'POST /v1/build/{id}/_ticket',
      'GET /auth/sign-in',
      'POST /auth/sign-in',
      'POST /auth/sign-out',
      'GET /auth/account',
      'POST /auth/account/tokens',
      'POST /auth/account/tokens/{id}/revoke',
    ]);
  });

  test.each(ROWS)('%s is done for somebody', (_, rule) => {
    const outcomes = cellsOf(rule).map(({ outcome }) => outcome.kind);
    expect(outcomes).toContain(rule.answers === 'sign-in' ? 'sign-in' : 'done');
  });
});
