// For HEALTHCHECK: ends with 0 when the server in this container is alive.
const port = process.env.TT_OPS_PORT;
const alive = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
  (response) => response.ok,
  () => false,
);
process.exit(alive ? 0 : 1);
