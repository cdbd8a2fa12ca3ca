// The client of the TypeScript SDK 2.x, in the era that each session asks for, driven by the harness.

import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { drive } from './driver.mjs';

drive(async (command, fetch, heard) => {
  const versionNegotiation = { mode: command.era === 'legacy' ? 'legacy' : 'auto' };
  const client = new Client({ name: command.session, version: '0' }, { versionNegotiation, cache: false });
  client.fallbackNotificationHandler = async (notification) => heard(notification.method);
  const Transport = command.transport === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
  const transport = new Transport(new URL(command.url), { fetch });
  await client.connect(transport);
  const version = client.getNegotiatedProtocolVersion();
  if (version >= '2026' !== (command.era === 'modern')) throw new Error(`settled on ${version}`);
  return {
    client,
    transport,
    callTool: (params, options) => client.callTool(params, options),
    async more() {
      const subscription = await client.listen({ toolsListChanged: true });
      subscription.closed.then((reason) => heard(`the end of listening: ${JSON.stringify(reason)}`));
      return { done: true };
    },
  };
});
