// An MCP server on the TypeScript SDK 1.x: Streamable HTTP with sessions and resumable streams.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createSecureServer } from 'node:https';
import { parseArgs } from 'node:util';
import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {
  CreateMessageResultSchema,
  ElicitResultSchema,
  ListRootsResultSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
  isInitializeRequest,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { EventLog } from './event_log.mjs';
import { Holds } from './holds.mjs';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string' },
    ledger: { type: 'string', default: '/dev/null' },
    transport: { type: 'string', default: 'sse-answers' },
    cert: { type: 'string' },
    key: { type: 'string' },
    holds: { type: 'string' },
  },
});
const holds = new Holds(options);
const text = (text) => ({ content: [{ type: 'text', text }] });
const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const readOnly = { readOnlyHint: true };

function progress(extra, done, total, message) {
  const progressToken = extra._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  const params = { progressToken, progress: done, total, message };
  return extra.sendNotification({ method: 'notifications/progress', params });
}

function registerTools(server) {
  const echo = { description: 'Say it again.', inputSchema: { text: z.string() }, annotations: readOnly };
  server.registerTool('echo', echo, async (args) => text(args.text));
  const sleep = { description: 'Answer later.', inputSchema: { milliseconds: z.number() }, annotations: readOnly };
  server.registerTool('sleep', sleep, async (args) => {
    await later(args.milliseconds);
    return text(`slept ${args.milliseconds}`);
  });
  const performed = async (args, extra) =>
    text(await holds.perform(args.call, () => progress(extra, 1, 2, 'executed')));
  const call = { inputSchema: { call: z.string() } };
  server.registerTool('count', { ...call, description: 'Write the call into the ledger.' }, performed);
  const look = { ...call, description: 'The same, but said to be safe to repeat.', annotations: readOnly };
  server.registerTool('look', look, performed);
  const steps = { description: 'Report progress n times.', inputSchema: { n: z.number() }, annotations: readOnly };
  server.registerTool('steps', steps, async (args, extra) => {
    for (let step = 1; step <= args.n; step++) {
      await progress(extra, step, args.n, `step ${step}`);
      await later(10);
    }
    return text(`${args.n} steps`);
  });
  const ask = { description: 'Ask the client for a sample, for input and for its roots.' };
  server.registerTool('ask', ask, async (extra) => {
    const messages = [{ role: 'user', content: { type: 'text', text: 'what now?' } }];
    const sampling = { method: 'sampling/createMessage', params: { messages, maxTokens: 10 } };
    const sample = await extra.sendRequest(sampling, CreateMessageResultSchema);
    const requestedSchema = { type: 'object', properties: { colour: { type: 'string' } }, required: ['colour'] };
    const elicitation = { method: 'elicitation/create', params: { message: 'which colour?', requestedSchema } };
    const answer = await extra.sendRequest(elicitation, ElicitResultSchema);
    const { roots } = await extra.sendRequest({ method: 'roots/list' }, ListRootsResultSchema);
    return text(`${sample.content.text}, ${answer.action} ${answer.content?.colour}, ${roots[0]?.uri}`);
  });
  const announce = { description: "Send every kind of change notification, outside of this request's stream." };
  server.registerTool('announce', announce, async () => {
    await server.server.sendToolListChanged();
    await server.server.sendResourceListChanged();
    await server.server.sendPromptListChanged();
    await server.server.sendResourceUpdated({ uri: 'memo://note' });
    return text('announced');
  });
  const poll = { description: 'Close the stream of this call before the answer: the client has to resume it.' };
  server.registerTool('poll', poll, async (extra) => {
    await progress(extra, 1, 2, 'before the cut');
    await later(50);
    extra.closeSSEStream?.();
    // The client is back long before the rest: all runs see the rest on the resumed stream.
    await later(500);
    await progress(extra, 2, 2, 'after the cut');
    return text('polled');
  });
  server.registerTool('fail', { description: 'Answer with an error of the tool.' }, async () => {
    throw new Error('as asked');
  });
}

function buildServer() {
  const capabilities = { logging: {}, resources: { subscribe: true } };
  const options = { capabilities, instructions: 'A server for tests.' };
  const server = new McpServer({ name: 'fixture', version: '1' }, options);
  registerTools(server);
  const memo = (uri, text) => ({ contents: [{ uri: uri.href, mimeType: 'text/plain', text }] });
  server.registerResource('note', 'memo://note', {}, async (uri) => memo(uri, 'remember the milk'));
  const template = new ResourceTemplate('memo://notes/{name}', { list: undefined });
  server.registerResource('notes', template, {}, async (uri, { name }) => memo(uri, `note ${name}`));
  const names = completable(z.string(), (value) => ['ada', 'alan', 'grace'].filter((name) => name.startsWith(value)));
  server.registerPrompt('greet', { description: 'Greet someone.', argsSchema: { name: names } }, ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Say hello to ${name}.` } }],
  }));
  server.server.setRequestHandler(SubscribeRequestSchema, async () => ({}));
  server.server.setRequestHandler(UnsubscribeRequestSchema, async () => ({}));
  return server;
}

const transports = new Map();
const app = createMcpExpressApp();
app.all('/mcp', async (req, res) => {
  if (options.holds && req.method === 'POST') holds.around(res, req.body);
  const id = req.headers['mcp-session-id'];
  let transport = transports.get(id);
  if (id && !transport) {
    res.status(404).json({ jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null });
    return;
  }
  if (!transport) {
    if (!isInitializeRequest(req.body)) {
      res.status(400).json({ jsonrpc: '2.0', error: { code: -32000, message: 'No session' }, id: null });
      return;
    }
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse: options.transport === 'json-answers',
      eventStore: options.transport === 'json-answers' ? undefined : new EventLog(),
      retryInterval: 50,
      onsessioninitialized: (session) => transports.set(session, transport),
      onsessionclosed: (session) => transports.delete(session),
    });
    await buildServer().connect(transport);
  }
  await transport.handleRequest(req, res, req.body);
});
app.get('/sessions', (req, res) => res.send(String(transports.size)));
// Express has no HTTP/2.
const files = () => ({ cert: readFileSync(options.cert), key: readFileSync(options.key) });
const server = options.cert ? createSecureServer(files(), app) : app;
server.listen(Number(options.port), '127.0.0.1');
