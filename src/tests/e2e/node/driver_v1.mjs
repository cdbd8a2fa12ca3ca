// The client of the TypeScript SDK 1.x, driven by the harness.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { drive } from './driver.mjs';

drive(async (command, fetch, heard) => {
  const client = new Client({ name: command.client, version: '0' });
  client.fallbackNotificationHandler = async (notification) => heard(notification.method);
  const transport = new StreamableHTTPClientTransport(new URL(command.url), { fetch });
  await client.connect(transport);
  return { client, transport, callTool: (params, options) => client.callTool(params, undefined, options) };
});
