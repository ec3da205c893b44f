export { Html, markup, page } from './html.js';
export { Page } from './page.decorator.js';
