import { Controller, HttpCode, Post } from '@nestjs/common';
import type { z } from 'zod';
import type { Actor, RetiredKeysAnswer } from '#libs/contract';
import { AcceptsPassword, Audited, CurrentActor, requireActor, Requires } from '#libs/server';
import { SigningKeysService } from './signing-keys.service.js';

/** The keys that sign tokens: for administrators, in an emergency. */
@Controller('v1/auth/signing-keys')
export class SigningKeysController {
  constructor(private readonly keys: SigningKeysService) {}

  /** Takes some seconds: every service hears of the new key before the others end. */
  @Post('retire')
  @HttpCode(200)
  @Requires('admin')
  @AcceptsPassword()
  @Audited('signing-key.retire')
  async retire(@CurrentActor() actor: Actor | undefined): Promise<z.infer<typeof RetiredKeysAnswer>> {
    return { data: await this.keys.retire(requireActor(actor)) };
  }
}
