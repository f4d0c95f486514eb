/**
 * Preloaded in every test's process (see .taprc). tap has a hook into each process that a test starts, to see what it
 * covers. Nobody asks for that here, and it more than doubles what starting a server costs (0.5 s of CPU became 1.1 s).
 */
import processOnSpawn from 'process-on-spawn';

processOnSpawn.addListener((started) => {
  const { NODE_OPTIONS: _tapsHook, ...env } = started.env;
  started.env = env;
  return started;
});
