import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Writes the script that makes wrk (Debian) ask for paths, at random or one after the other, and print its result as JSON.
 * @param folder where it may write
 */
export function writeRequests(folder, name, paths) {
  const script = join(folder, `${name}.lua`);
  writeFileSync(
    script,
    `local paths = {${paths.map((path) => JSON.stringify(path)).join(',\n')}}
local requests = {}
local at = nil
function init(arguments)
  for index, path in ipairs(paths) do requests[index] = wrk.format("GET", path) end
  if arguments[1] == "random" then math.randomseed(tonumber(arguments[2])) else at = tonumber(arguments[2]) end
end
function request()
  if at == nil then return requests[math.random(#requests)] end
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local wrong = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format('\\nRESULT {"requests":%d,"microseconds":%d,"wrong":%d,"median":%d,"p99":%d}\\n',
    summary.requests, summary.duration, wrong, latency:percentile(50), latency:percentile(99)))
end
`,
  );
  return script;
}

/**
 * Puts load on a server: closed loop, one thread, keep-alive connections.
 * @param seed decides which paths are drawn, in which order
 * @param skip in place of a seed: all paths one after the other, behind so many
 * @returns requests, requests per second, and milliseconds of the median and the slowest hundredth
 * @throws Error when an answer is not a success, or none came: then there is nothing to compare
 */
export async function load({ base, script, seed, skip, seconds, connections }) {
  const order = skip === undefined ? ['random', String(seed)] : ['row', String(skip)];
  const words = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, base, '--', ...order];
  const { stdout } = await run('wrk', words).catch((error) => {
    throw error.code === 'ENOENT' ? new Error('wrk is missing: apt-get install wrk') : error;
  });
  const result = JSON.parse(/^RESULT (.*)$/m.exec(stdout)?.[1] ?? '{}');
  if (result.wrong !== 0 || result.requests === 0)
    throw new Error(`Expected successes from ${base}, got ${stdout}`);
  return {
    requests: result.requests,
    rate: (result.requests * 1e6) / result.microseconds,
    median: result.median / 1000,
    p99: result.p99 / 1000,
  };
}
