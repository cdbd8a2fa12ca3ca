// The client of the TypeScript SDK 2.x, in the era that each session asks for, driven by the harness.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { drive } from './driver.mjs';

drive(async (command, fetch, heard) => {
  const versionNegotiation = { mode: command.era === 'legacy' ? 'legacy' : 'auto' };
  const client = new Client({ name: command.client, version: '0' }, { versionNegotiation, cache: false });
  client.fallbackNotificationHandler = async (notification) => heard(notification.method);
  const transport = new StreamableHTTPClientTransport(new URL(command.url), { fetch });
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
