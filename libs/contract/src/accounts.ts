import { z } from 'zod';
import { OrganisationRole } from './actor.js';
import { envelope } from './envelope.js';
import { ObjectId, Time } from './shapes.js';

/** Names of users, organisations and robots are one name space, and names of library entities (library contract §8). */
const NAME = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/;
export const Username = z.string().min(2).max(64).regex(NAME, {
  error: 'Expected lower-case letters and digits, single . _ - between them, for a user name',
});

/** Shorter than a user name, so that names of robots (`<organisation>.<name>`) fit. */
export const OrganisationName = z.string().min(2).max(40).regex(NAME, {
  error: 'Expected lower-case letters and digits, single . _ - between them, for an organisation',
});

/** The second part of a robot's name: without a dot, so that the whole name says which organisation it belongs to. */
export const RobotName = z
  .string()
  .min(1)
  .max(23)
  .regex(/^[a-z0-9]+(?:[_-][a-z0-9]+)*$/, {
    error: 'Expected lower-case letters and digits, single _ - between them, for a robot',
  });

/** `<organisation>.<name>`: the user name of a robot. */
export function robotUsername(organisation: string, name: string): string {
  return `${organisation}.${name}`;
}

/** The parts of what may be the user name of a robot; undefined when it cannot be one. */
export function parseRobotUsername(
  username: string,
): { readonly organisation: string; readonly name: string } | undefined {
  const dot = username.lastIndexOf('.');
  return dot < 1 ? undefined : { organisation: username.slice(0, dot), name: username.slice(dot + 1) };
}

/** `?limit=&cursor=` of the lists. */
export const ListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z.string().max(1000).optional(),
});
export type ListQuery = z.infer<typeof ListQuery>;

/** Bytes, so that a hash of a megabyte of password is never asked for. */
export const PASSWORD_LENGTH = { minimum: 10, maximum: 256 } as const;
const Password = z.string().min(PASSWORD_LENGTH.minimum).max(PASSWORD_LENGTH.maximum);
const DisplayName = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}]*$/u);

/** `POST /v1/auth/users`, for administrators. */
export const CreateUserRequest = z.object({
  username: Username,
  password: Password,
  email: z.email().max(254).optional(),
  displayName: DisplayName.optional(),
  administrator: z.boolean().default(false),
});
export type CreateUserRequest = z.infer<typeof CreateUserRequest>;
export type CreateUserInput = z.input<typeof CreateUserRequest>;

/**
 * `PATCH /v1/auth/users/{username}`: what is absent stays. E-mail address and display name for whoever owns the account, by
 * password, and for administrators; the rest for administrators. An empty e-mail address removes it.
 */
export const ChangeUserRequest = z.object({
  email: z.union([z.literal(''), z.email().max(254)]).optional(),
  displayName: DisplayName.optional(),
  administrator: z.boolean().optional(),
  disabled: z.boolean().optional(),
});
export type ChangeUserRequest = z.infer<typeof ChangeUserRequest>;

/** `PUT /v1/auth/users/{username}/password`: with the old password (Basic), or as an administrator. Ends all sessions. */
export const ChangePasswordRequest = z.object({
  password: Password,
  /** Ends all tokens of the account too. When absent: yes for the account of somebody else, no for the own one. */
  revokeTokens: z.boolean().optional(),
});
export type ChangePasswordRequest = z.infer<typeof ChangePasswordRequest>;

export const UserRecord = z.object({
  id: ObjectId,
  username: Username,
  email: z.string(),
  displayName: z.string(),
  administrator: z.boolean(),
  disabled: z.boolean(),
  createdAt: Time,
});
export type UserRecord = z.infer<typeof UserRecord>;
export const UserAnswer = envelope(UserRecord);
/** One account with its present roles, by the name of the organisation. */
export const UserDetails = UserRecord.extend({ organisations: z.record(z.string(), OrganisationRole) });
export type UserDetails = z.infer<typeof UserDetails>;
export const UserDetailsAnswer = envelope(UserDetails);
export const UsersAnswer = envelope(z.array(UserRecord));

/** `POST /v1/auth/organisations`, for administrators. */
export const CreateOrganisationRequest = z.object({
  name: OrganisationName,
  displayName: DisplayName.optional(),
  /** The user name of the first owner. */
  owner: Username,
});
export type CreateOrganisationRequest = z.infer<typeof CreateOrganisationRequest>;

/** `PATCH /v1/auth/organisations/{name}`: what is absent stays. `disabled` is for administrators. */
export const ChangeOrganisationRequest = z.object({
  displayName: DisplayName.optional(),
  disabled: z.boolean().optional(),
});
export type ChangeOrganisationRequest = z.infer<typeof ChangeOrganisationRequest>;

export const OrganisationRecord = z.object({
  id: ObjectId,
  name: OrganisationName,
  displayName: z.string(),
  disabled: z.boolean(),
  createdAt: Time,
  /** How many; robots not counted. */
  members: z.number().int(),
  /** Of the caller. */
  role: OrganisationRole.nullable(),
});
export type OrganisationRecord = z.infer<typeof OrganisationRecord>;
export const OrganisationAnswer = envelope(OrganisationRecord);
export const OrganisationsAnswer = envelope(z.array(OrganisationRecord));

/** `PUT /v1/auth/organisations/{name}/members/{username}`: makes a member, or gives another role. */
export const MemberRequest = z.object({ role: OrganisationRole });
export type MemberRequest = z.infer<typeof MemberRequest>;

export const MemberRecord = z.object({ username: Username, role: OrganisationRole, since: Time });
export type MemberRecord = z.infer<typeof MemberRecord>;
export const MemberAnswer = envelope(MemberRecord);
export const MembersAnswer = envelope(z.array(MemberRecord));

/** A robot manages nothing. */
export const RobotRole = OrganisationRole.exclude(['owner']);
export type RobotRole = z.infer<typeof RobotRole>;

/** `POST /v1/auth/organisations/{name}/robots`. */
export const CreateRobotRequest = z.object({
  name: RobotName,
  displayName: DisplayName.optional(),
  role: RobotRole,
});
export type CreateRobotRequest = z.infer<typeof CreateRobotRequest>;

/** `PATCH /v1/auth/organisations/{name}/robots/{robot}`: what is absent stays. */
export const ChangeRobotRequest = z.object({
  displayName: DisplayName.optional(),
  role: RobotRole.optional(),
  disabled: z.boolean().optional(),
});
export type ChangeRobotRequest = z.infer<typeof ChangeRobotRequest>;

export const RobotRecord = z.object({
  id: ObjectId,
  /** The whole name, as tokens carry it. */
  username: Username,
  displayName: z.string(),
  organisation: OrganisationName,
  role: RobotRole,
  disabled: z.boolean(),
  createdAt: Time,
});
export type RobotRecord = z.infer<typeof RobotRecord>;
export const RobotAnswer = envelope(RobotRecord);
export const RobotsAnswer = envelope(z.array(RobotRecord));
