// HTTP/2 for both TypeScript clients: the SDK takes any fetch, and undici's speaks it when asked to.

import { Agent, H2CClient, Pool, fetch } from 'undici';

/** Options of a transport for that job; none for HTTP/1.1. */
export function wired(job) {
  if (!job.http2) return {};
  const { origin, protocol } = new URL(job.url);
  // A post waits while its connection has a stream open, so each has one request at a time.
  const inTheClear = () => new Pool(origin, { factory: () => new H2CClient(origin, { pipelining: 1 }) });
  const dispatcher = protocol === 'https:' ? new Agent({ allowH2: true }) : inTheClear();
  return { fetch: (url, init) => fetch(url, { ...init, dispatcher }) };
}
