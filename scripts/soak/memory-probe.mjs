// Loaded before a server (node --expose-gc --import …): tells what is in use once the garbage is gone.
process.on('message', (message) => {
  if (message.type !== 'memory') return;
  global.gc();
  global.gc();
  process.send({ type: 'memory', ...process.memoryUsage() });
});
// Waiting for a question keeps no server running.
process.channel?.unref();
