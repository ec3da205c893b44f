// Nest reads decorator metadata; the polyfill must be there before the first decorated class is evaluated.
import 'reflect-metadata';
