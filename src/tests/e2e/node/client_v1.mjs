// The client of the TypeScript SDK 1.x: runs a scenario over Streamable HTTP or legacy HTTP+SSE.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { calls, failure, perform, streamChanges } from './perform.mjs';
import { answers, capabilities, main } from './transcript.mjs';
import { wired } from './wire.mjs';

async function connect(job) {
  const client = new Client({ name: 'typescript-v1', version: '0' }, { capabilities });
  client.setRequestHandler(CreateMessageRequestSchema, answers['sampling/createMessage']);
  client.setRequestHandler(ElicitRequestSchema, answers['elicitation/create']);
  client.setRequestHandler(ListRootsRequestSchema, answers['roots/list']);
  const heard = [];
  client.fallbackNotificationHandler = async (notification) => {
    if (/changed|updated/.test(notification.method)) heard.push(notification);
  };
  const [url, options] = [new URL(job.url), wired(job)];
  const Transport = job.transport === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
  const transport = new Transport(url, options);
  await client.connect(transport);
  const callTool = (params, options) => client.callTool(params, undefined, options);
  return { client, transport, heard, callTool };
}

async function script(job, steps, write) {
  const { client, transport, heard, callTool } = await connect(job);
  write('initialize', {
    version: transport.protocolVersion,
    server: client.getServerVersion(),
    capabilities: client.getServerCapabilities(),
    instructions: client.getInstructions(),
  });
  for (const step of steps) {
    const changes = () => streamChanges(step, job, heard, callTool);
    const seen = await perform(client, step, callTool, changes).catch(failure);
    write(`${step.op} ${step.name ?? ''}`.trim(), seen);
  }
  await transport.terminateSession?.();
  await client.close();
}

async function oneSession(job, number) {
  const { client, transport, callTool } = await connect(job);
  await calls(job, number, callTool);
  await transport.terminateSession?.();
  await client.close();
}

await main(script, oneSession);
