import { Controller, Get, Param, Query } from '@nestjs/common';
import { type Actor, MANAGE_PATH, type SignaturesAnswer } from '#libs/contract';
import { parseImagePath } from '#libs/core';
import { Anonymous, Audience, CurrentActor } from '#libs/server';
import { archOfQuery } from '../images/archQuery.js';
import { ImagesService } from '../images/images.service.js';
import { DEFAULTS } from '../limits.js';
import { type ContainerParams, pathOf } from '../manage/paths.js';
import { SignerChecks } from './signerChecks.service.js';
import { SignersService } from './signers.service.js';

/** Who has signed an image: everybody's to read where the image is. */
@Controller(MANAGE_PATH)
@Audience('library')
@Anonymous()
export class SignaturesController {
  constructor(
    private readonly images: ImagesService,
    private readonly signers: SignersService,
    private readonly checks: SignerChecks,
  ) {}

  @Get('signatures/:entity/:collection/:container/:ref')
  async show(
    @Param() { ref, ...params }: ContainerParams & { readonly ref: string },
    @Query() query: Readonly<Record<string, unknown>>,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<SignaturesAnswer> {
    const reference = parseImagePath(`${pathOf(params)}:${ref}`, DEFAULTS);
    const { image } = await this.images.find(reference, archOfQuery(query), actor);
    const known = (await this.signers.known(image))?.value;
    const { hash, signed } = image.value;
    const due = known?.due !== undefined && (known.checkedAt === undefined || known.changed === true);
    if (due) this.checks.nudge();
    return {
      data: {
        hash,
        signed,
        signers: known?.signers.map(({ fingerprint }) => fingerprint) ?? [],
        checkedAt: known?.checkedAt ?? null,
        due,
        signatures: (known?.signatures ?? []).map((one) => ({
          id: one.id,
          group: one.group ?? null,
          fingerprint: one.fingerprint ?? null,
          state: one.state,
          signedAt: one.signedAt ?? null,
          until: one.until ?? null,
        })),
      },
    };
  }
}
