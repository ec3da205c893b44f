import { applyDecorators, Header, UseFilters } from '@nestjs/common';
import { PAGE_POLICY } from './html.js';
import { PageErrorsFilter } from './page-errors.filter.js';

/**
 * The handler answers a page of {@link page}. Its forms need the Origin header, which a browser withholds under the policy
 * `no-referrer` of other answers (Fetch standard, "append a request `Origin` header").
 */
export const Page = (): MethodDecorator =>
  applyDecorators(
    Header('content-type', 'text/html; charset=utf-8'),
    Header('content-security-policy', PAGE_POLICY),
    Header('referrer-policy', 'same-origin'),
    UseFilters(PageErrorsFilter),
  );
