// The client of the TypeScript SDK 1.x, driven by the harness.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { drive } from './driver.mjs';

drive(async (command, fetch, heard) => {
  const client = new Client({ name: command.session, version: '0' });
  client.fallbackNotificationHandler = async (notification) => heard(notification.method);
  const Transport = command.transport === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
  const transport = new Transport(new URL(command.url), { fetch });
  await client.connect(transport);
  return { client, transport, callTool: (params, options) => client.callTool(params, undefined, options) };
});
