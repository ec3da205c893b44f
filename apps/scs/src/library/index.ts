import { defineGroup } from '#libs/cli';
import { libraryCheck } from './check.js';

export const libraryGroup = defineGroup({
  name: 'library',
  summary: 'the images in the library',
  commands: [libraryCheck],
});
