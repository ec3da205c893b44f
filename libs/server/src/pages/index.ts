export { Html, markup, page, PAGE_POLICY } from './html.js';
export { Page } from './page.decorator.js';
