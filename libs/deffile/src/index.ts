export { type DefinitionJson, toDefinitionJson } from './convert.js';
export { runnableScript, scriptArguments, scriptCommand } from './interpreter.js';
export * from './model.js';
export { type ParseOptions, parseDefinition } from './parse.js';
export { parseBuildArgument, parseBuildArgumentFile } from './variables.js';
