/** Loaded into each process of a cluster that is profiled: the servers, which have a launcher, leave a CPU profile when they end. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

const SAMPLED_EVERY_MICROS = 1_000;

const folder = process.env.BENCH_PROFILES;
if (folder !== undefined && isMainThread && process.send !== undefined) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: SAMPLED_EVERY_MICROS });
  session.post('Profiler.start');
  process.on('exit', () =>
    session.post('Profiler.stop', (_error, stopped) =>
      writeFileSync(join(folder, `${process.pid}.cpuprofile`), JSON.stringify(stopped.profile)),
    ),
  );
}
