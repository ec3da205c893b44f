import { z } from 'zod';
import { OrganisationName, RobotName, Username } from '#libs/contract';
import { Checked } from '#libs/server';

/* What stands in a path. What can be none is a bad request, so that no odd key reaches the database. */

const ObjectId = z.string().regex(/^[0-9a-f]{24}$/, { error: 'Expected 24 hexadecimal digits' });

export const TokenIdParam = new Checked(ObjectId, 'the token id');
export const UsernameParam = new Checked(Username, 'the user name');
export const OrganisationParam = new Checked(OrganisationName, 'the name of the organisation');
export const RobotParam = new Checked(RobotName, 'the name of the robot');
