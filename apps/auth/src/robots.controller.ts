import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import {
  type Actor,
  ChangeRobotRequest,
  CreateRobotRequest,
  ListQuery,
  type RobotAnswer,
  type RobotsAnswer,
} from '#libs/contract';
import { Audited, AcceptsPassword, Checked, CurrentActor, JsonBody, requireActor } from '#libs/server';
import { AUTH_LIMITS } from './limits.js';
import { OrganisationParam, RobotParam } from './parameters.js';
import { presentRobot } from './present.js';
import { RobotsService } from './robots.service.js';

/** The robots of an organisation. Their tokens are made at `/v1/auth/tokens`. */
@Controller('v1/auth/organisations/:name/robots')
@AcceptsPassword()
export class RobotsController {
  constructor(private readonly robots: RobotsService) {}

  @Get()
  async list(
    @CurrentActor() actor: Actor | undefined,
    @Param('name', OrganisationParam) name: string,
    @Query(new Checked(ListQuery)) query: ListQuery,
  ): Promise<z.infer<typeof RobotsAnswer>> {
    const { items, cursor } = await this.robots.list(requireActor(actor), name, query);
    return { data: items.map(presentRobot), ...(cursor === undefined ? {} : { page: { next: cursor } }) };
  }

  @Post()
  @HttpCode(200)
  @Audited('robot.create')
  async create(
    @CurrentActor() actor: Actor | undefined,
    @Param('name', OrganisationParam) name: string,
    @Body(new JsonBody(CreateRobotRequest, { limit: AUTH_LIMITS.body })) request: CreateRobotRequest,
  ): Promise<z.infer<typeof RobotAnswer>> {
    return { data: presentRobot(await this.robots.create(requireActor(actor), name, request)) };
  }

  @Patch(':robot')
  @HttpCode(200)
  @Audited('robot.change')
  async change(
    @CurrentActor() actor: Actor | undefined,
    @Param('name', OrganisationParam) name: string,
    @Param('robot', RobotParam) robot: string,
    @Body(new JsonBody(ChangeRobotRequest, { limit: AUTH_LIMITS.body })) request: ChangeRobotRequest,
  ): Promise<z.infer<typeof RobotAnswer>> {
    return { data: presentRobot(await this.robots.change(requireActor(actor), name, robot, request)) };
  }
}
