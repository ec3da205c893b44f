/**
 * Milliseconds of the processor that this thread needs for a piece of work. What a bound of time is about is how much work there is: by
 * the clock on the wall it would also be how many others are at work on this machine.
 */
export function cpuTime(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
