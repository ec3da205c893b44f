import { Body, Controller, Delete, Get, Header, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import {
  type Actor,
  ChangeWebhookRequest,
  type DeliveriesList,
  type DeliveryAnswer,
  ListQuery,
  type WebhookAnswer,
  WebhookRequest,
  type WebhooksList,
  WEBHOOKS_PATH,
} from '#libs/contract';
import { Audited, Checked, CurrentActor, JsonBody, Requires } from '#libs/server';
import { pathOf } from '../manage/paths.js';
import { presentDelivery, presentWebhook } from './present.js';
import { WebhooksService, type WithSecret } from './webhooks.service.js';

interface OfEntity {
  readonly entity: string;
}
interface OfWebhook extends OfEntity {
  readonly id: string;
}

/** Where owners say who is told of what happens in their entity: people, and no job of theirs. */
@Controller(WEBHOOKS_PATH)
export class WebhooksController {
  constructor(private readonly webhooks: WebhooksService) {}

  @Get(':entity')
  @Requires('library:write')
  @Header('cache-control', 'no-store')
  async list(@Param() at: OfEntity, @CurrentActor() actor: Actor): Promise<z.infer<typeof WebhooksList>> {
    return { data: (await this.webhooks.list(pathOf(at), actor)).map(presentWebhook) };
  }

  @Post(':entity')
  @HttpCode(200)
  @Requires('library:write')
  @Audited('webhook.create')
  @Header('cache-control', 'no-store')
  async create(
    @Param() at: OfEntity,
    @Body(new JsonBody(WebhookRequest)) request: WebhookRequest,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof WebhookAnswer>> {
    return answer(await this.webhooks.create(pathOf(at), request, actor));
  }

  @Get(':entity/:id')
  @Requires('library:write')
  @Header('cache-control', 'no-store')
  async find(
    @Param() { id, ...at }: OfWebhook,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof WebhookAnswer>> {
    return { data: presentWebhook(await this.webhooks.find(pathOf(at), id, actor)) };
  }

  @Patch(':entity/:id')
  @HttpCode(200)
  @Requires('library:write')
  @Audited('webhook.change')
  @Header('cache-control', 'no-store')
  async change(
    @Param() { id, ...at }: OfWebhook,
    @Body(new JsonBody(ChangeWebhookRequest)) request: ChangeWebhookRequest,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof WebhookAnswer>> {
    return answer(await this.webhooks.change(pathOf(at), id, request, actor));
  }

  @Delete(':entity/:id')
  @HttpCode(200)
  @Requires('library:write')
  @Audited('webhook.delete')
  async remove(@Param() { id, ...at }: OfWebhook, @CurrentActor() actor: Actor): Promise<object> {
    await this.webhooks.remove(pathOf(at), id, actor);
    return { data: { deleted: true } };
  }

  @Get(':entity/:id/deliveries')
  @Requires('library:write')
  @Header('cache-control', 'no-store')
  async deliveries(
    @Param() { id, ...at }: OfWebhook,
    @Query(new Checked(ListQuery)) query: ListQuery,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof DeliveriesList>> {
    const { items, cursor } = await this.webhooks.deliveriesOf(pathOf(at), id, query, actor);
    return { data: items.map(presentDelivery), ...(cursor === undefined ? {} : { page: { next: cursor } }) };
  }

  @Post(':entity/:id/ping')
  @HttpCode(200)
  @Requires('library:write')
  @Audited('webhook.deliver')
  async ping(
    @Param() { id, ...at }: OfWebhook,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof DeliveryAnswer>> {
    return { data: presentDelivery(await this.webhooks.ping(pathOf(at), id, actor)) };
  }

  @Post(':entity/:id/deliveries/:delivery/redeliver')
  @HttpCode(200)
  @Requires('library:write')
  @Audited('webhook.deliver')
  async redeliver(
    @Param() { id, delivery, ...at }: OfWebhook & { readonly delivery: string },
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof DeliveryAnswer>> {
    return { data: presentDelivery(await this.webhooks.redeliver(pathOf(at), id, delivery, actor)) };
  }
}

function answer({ webhook, secret }: WithSecret): z.infer<typeof WebhookAnswer> {
  return { data: { ...presentWebhook(webhook), ...(secret === undefined ? {} : { secret }) } };
}
