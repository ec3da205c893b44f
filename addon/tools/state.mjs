/**
 * Build tool: puts an engine that has evaluated the planner's bundle into a program, made by the program itself (src/planner/state.h). `state.mjs PROGRAM OUT`
 * It is asked twice, lying elsewhere in memory each time: what differs is something that cannot be kept, left there by another compiler perhaps. Then nothing
 * is kept: starts take longer, and a test says so.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';

/** Where a section of a 64-bit little-endian ELF file lies in it. */
function sectionOf(file, name) {
  const table = Number(file.readBigUInt64LE(0x28));
  const [size, count, names] = [0x3a, 0x3c, 0x3e].map((at) => file.readUInt16LE(at));
  const field = (index, at) => Number(file.readBigUInt64LE(table + index * size + at));
  const texts = field(names, 0x18);
  for (let index = 0; index < count; index += 1) {
    const start = texts + file.readUInt32LE(table + index * size);
    if (file.toString('latin1', start, file.indexOf(0, start)) === name)
      return { offset: field(index, 0x18), size: field(index, 0x20) };
  }
  throw new Error(`Expected a section ${name} in the program, got none`);
}

const [program, out] = process.argv.slice(2);
const made = () => execFileSync(program, ['--print-planner'], { maxBuffer: 64 << 20, env: {} });
const state = made();
const file = readFileSync(program);
const section = sectionOf(file, '.planner_state');
if (state.length > section.size)
  throw new Error(`Expected at most ${section.size} bytes for the section, got ${state.length}`);
if (state.equals(made())) state.copy(file, section.offset);
else
  process.stderr.write(
    `${program}: starts will evaluate the planner, the engine that it makes is another each time\n`,
  );
writeFileSync(out, file);
chmodSync(out, 0o755);
