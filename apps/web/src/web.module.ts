import { Module } from '@nestjs/common';
import { Service } from '#libs/server';
import { ContainerController } from './container.controller.js';
import { DiscoveryController } from './discovery.controller.js';
import { PagesController } from './pages.controller.js';

/** The front end: what clients read first, and pages for people. */
@Service('web')
@Module({ controllers: [DiscoveryController, PagesController, ContainerController] })
export class WebModule {}
