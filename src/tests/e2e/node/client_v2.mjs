// The client of the TypeScript SDK 2.x: runs a scenario in the legacy or the modern era.

import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { calls, failure, perform, streamChanges } from './perform.mjs';
import { answers, capabilities, eventually, main } from './transcript.mjs';
import { wired } from './wire.mjs';

async function connect(job) {
  const mode = job.era === 'legacy' ? 'legacy' : 'auto';
  const options = { capabilities, versionNegotiation: { mode }, cache: false };
  const client = new Client({ name: 'typescript-v2', version: '0' }, options);
  for (const [method, answer] of Object.entries(answers)) client.setRequestHandler(method, async () => answer());
  const heard = [];
  client.fallbackNotificationHandler = async (notification) => {
    if (/changed|updated/.test(notification.method)) heard.push(notification);
  };
  const Transport = job.transport === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
  const transport = new Transport(new URL(job.url), wired(job));
  await client.connect(transport);
  const callTool = (params, options) => client.callTool(params, options);
  return { client, transport, heard, callTool };
}

async function listenChanges(client, step, heard, callTool) {
  const filter = {
    toolsListChanged: true,
    promptsListChanged: true,
    resourcesListChanged: true,
    resourceSubscriptions: [step.uri],
  };
  const subscription = await client.listen(filter);
  heard.length = 0;
  const result = await callTool({ name: step.name, arguments: {} }, {});
  await eventually(() => heard.length >= step.expect);
  await subscription.close();
  const changes = heard.map((each) => JSON.stringify(each)).sort();
  return { result, changes, honored: subscription.honoredFilter, closed: await subscription.closed };
}

async function script(job, steps, write) {
  const { client, transport, heard, callTool } = await connect(job);
  write('connect', {
    version: client.getNegotiatedProtocolVersion(),
    server: client.getServerVersion(),
    capabilities: client.getServerCapabilities(),
    instructions: client.getInstructions(),
  });
  for (const step of steps) {
    const changes = () =>
      client.getNegotiatedProtocolVersion() >= '2026'
        ? listenChanges(client, step, heard, callTool)
        : streamChanges(step, job, heard, callTool);
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
