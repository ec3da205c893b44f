import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type DefinitionJson, parseDefinition, toDefinitionJson } from '#libs/deffile';
import { readBytes, Requires } from '#libs/server';
import { LIMITS } from './limits.js';

/**
 * `scs-build` ≥ v0.9.20 stops before it submits when a definition names no host file. A file that every client has, whose size is 0, keeps it
 * going; the build itself takes the raw text and never sees it (builder contract §3.9).
 */
const SYNTHETIC = { args: '', files: [{ source: '/proc/version', destination: '' }] };

/** `POST /v1/convert-def-file`: the parsed form of a definition. */
@Controller('v1/convert-def-file')
export class ConvertController {
  @Post()
  @HttpCode(200)
  @Requires('build')
  async convert(@Req() request: FastifyRequest): Promise<{ data: DefinitionJson }> {
    const text = unquote((await readBytes(request.raw, LIMITS.definitionBytes)).toString('utf8'));
    const definition = parseDefinition(text, { keepVariables: true });
    const json = toDefinitionJson(definition);
    const { files } = json.buildData;
    // Blocks that name a stage are not of the host: clients leave them out, so they do not count here either.
    const fromHost = definition.stages.some((stage) =>
      stage.files.some((block) => block.stage === undefined && block.files.length > 0),
    );
    return {
      data: { ...json, buildData: { ...json.buildData, files: fromHost ? files : [...files, SYNTHETIC] } },
    };
  }
}

/** Some clients send the text as one JSON string; no definition begins with a double quote (builder contract §3.9). */
function unquote(body: string): string {
  if (!body.startsWith('"')) return body;
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'string' ? parsed : body;
  } catch {
    return body;
  }
}
