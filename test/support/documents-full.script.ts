/**
 * Fills the disk under a SQLite database. `documents-full.script.ts <folder>` puts documents until one is refused, and
 * prints `refused <code> <how many were acknowledged> <how many of these are there>`; then it makes room and prints
 * `again <result>`.
 */
import { openDocuments } from '#libs/documents';
import { DomainError } from '#libs/core';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { thing, thingsSpec } from '../../libs/documents/src/testing/things.js';

const [folder = ''] = process.argv.slice(2);
const ballast = join(folder, 'ballast');
await writeFile(ballast, Buffer.alloc(1024 * 1024, 1));
const documents = await openDocuments(`sqlite:${folder}`, { service: 'full' });
const things = documents.collection(thingsSpec('things'));
await documents.ready();

const note = 'x'.repeat(100_000);
const acknowledged: string[] = [];
let code = 'none';
while (code === 'none' && acknowledged.length < 1000) {
  const id = `d${acknowledged.length}`;
  try {
    await things.put(id, thing({ note }));
    acknowledged.push(id);
  } catch (error) {
    code = error instanceof DomainError ? error.code : String(error);
  }
}
const there = await things.getMany(acknowledged);
process.stdout.write(`refused ${code} ${acknowledged.length} ${there.length}\n`);
await rm(ballast);
process.stdout.write(`again ${await things.insert('again', thing())}\n`);
await documents.close();
