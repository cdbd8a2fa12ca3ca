// An MCP server on the TypeScript SDK 2.x: the modern era, and the legacy era without sessions, on one URL.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createSecureServer, createServer as createHttp2Server } from 'node:http2';
import { parseArgs } from 'node:util';
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceTemplate,
  acceptedContent,
  completable,
  createMcpHandler,
  inputRequired,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { Holds } from './holds.mjs';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string' },
    ledger: { type: 'string', default: '/dev/null' },
    transport: { type: 'string', default: 'sse-answers' },
    cert: { type: 'string' },
    key: { type: 'string' },
    http2: { type: 'boolean', default: false },
    holds: { type: 'string' },
    pages: { type: 'boolean', default: false },
  },
});
const holds = new Holds(options);
const text = (text) => ({ content: [{ type: 'text', text }] });
const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const readOnly = { readOnlyHint: true };

function registerTools(server) {
  const echo = { description: 'Say it again.', inputSchema: z.object({ text: z.string() }), annotations: readOnly };
  server.registerTool('echo', echo, async (args) => text(args.text));
  const sleep = {
    description: 'Answer later.',
    inputSchema: z.object({ milliseconds: z.number() }),
    annotations: readOnly,
  };
  server.registerTool('sleep', sleep, async (args) => {
    await later(args.milliseconds);
    return text(`slept ${args.milliseconds}`);
  });
  const performed = async (args, ctx) => {
    const progress = () => {
      const params = { progressToken: ctx.mcpReq._meta?.progressToken, progress: 1, total: 2, message: 'executed' };
      return ctx.mcpReq.notify({ method: 'notifications/progress', params });
    };
    return text(await holds.perform(args.call, progress));
  };
  const call = { inputSchema: z.object({ call: z.string() }) };
  server.registerTool('count', { ...call, description: 'Write the call into the ledger.' }, performed);
  const look = { ...call, description: 'The same, but said to be safe to repeat.', annotations: readOnly };
  server.registerTool('look', look, performed);
  const steps = {
    description: 'Report progress n times.',
    inputSchema: z.object({ n: z.number() }),
    annotations: readOnly,
  };
  server.registerTool('steps', steps, async (args, ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    for (let step = 1; step <= args.n && progressToken !== undefined; step++) {
      const params = { progressToken, progress: step, total: args.n, message: `step ${step}` };
      await ctx.mcpReq.notify({ method: 'notifications/progress', params });
      await later(10);
    }
    return text(`${args.n} steps`);
  });
  const ask = { description: 'Ask the client for a sample and for input, by the result.' };
  server.registerTool('ask', ask, async (ctx) => {
    const colour = acceptedContent(ctx.mcpReq.inputResponses, 'colour');
    if (colour === undefined) {
      const messages = [{ role: 'user', content: { type: 'text', text: 'what now?' } }];
      const requestedSchema = z.object({ colour: z.string() });
      return inputRequired({
        inputRequests: {
          sample: inputRequired.createMessage({ messages, maxTokens: 10 }),
          colour: inputRequired.elicit({ message: 'which colour?', requestedSchema }),
        },
      });
    }
    return text(`${ctx.mcpReq.inputResponses.sample.content.text}, ${colour.colour}`);
  });
  const announce = { description: 'Publish every kind of change to the listeners.' };
  server.registerTool('announce', announce, async () => {
    handler.notify.toolsChanged();
    handler.notify.resourcesChanged();
    handler.notify.promptsChanged();
    handler.notify.resourceUpdated('memo://note');
    return text('announced');
  });
  server.registerTool('fail', { description: 'Answer with an error of the tool.' }, async () => {
    throw new Error('as asked');
  });
}

const inPages = options.pages;
const ours = randomUUID();

/** Five resources in pages of two; a cursor means nothing to another process. */
function page(request) {
  const [mine, at] = (request.params?.cursor ?? `${ours}:0`).split(':');
  if (mine !== ours) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'not a cursor of mine');
  const numbers = [0, 1, 2, 3, 4].slice(Number(at), Number(at) + 2);
  const resources = numbers.map((number) => ({ uri: `memo://${number}`, name: `${number}` }));
  return Number(at) + 2 < 5 ? { resources, nextCursor: `${ours}:${Number(at) + 2}` } : { resources };
}

function buildServer() {
  const listChanged = true;
  const capabilities = { logging: {}, resources: { subscribe: true, listChanged }, tools: { listChanged } };
  const options = { capabilities, instructions: 'A server for tests.' };
  const server = new McpServer({ name: 'fixture', version: '2' }, options);
  registerTools(server);
  const memo = (uri, text) => ({ contents: [{ uri: uri.href, mimeType: 'text/plain', text }] });
  server.registerResource('note', 'memo://note', {}, async (uri) => memo(uri, 'remember the milk'));
  const template = new ResourceTemplate('memo://notes/{name}', { list: undefined });
  server.registerResource('notes', template, {}, async (uri, { name }) => memo(uri, `note ${name}`));
  const names = completable(z.string(), (value) => ['ada', 'alan', 'grace'].filter((name) => name.startsWith(value)));
  const greet = { description: 'Greet someone.', argsSchema: z.object({ name: names }) };
  server.registerPrompt('greet', greet, ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Say hello to ${name}.` } }],
  }));
  if (inPages) server.server.setRequestHandler('resources/list', page);
  return server;
}

const handler = createMcpHandler(buildServer, { responseMode: options.transport === 'json-answers' ? 'json' : 'auto' });
const node = toNodeHandler(handler);
async function listener(req, res) {
  if (req.url !== '/mcp') return res.writeHead(404).end();
  let body;
  if (options.holds && req.method === 'POST') {
    const pieces = [];
    for await (const piece of req) pieces.push(piece);
    body = JSON.parse(Buffer.concat(pieces).toString());
    holds.around(res, body);
  }
  return node(req, res, body);
}

function serve() {
  if (!options.cert) return options.http2 ? createHttp2Server(listener) : createServer(listener);
  const files = { cert: readFileSync(options.cert), key: readFileSync(options.key) };
  return createSecureServer({ ...files, allowHTTP1: true }, listener);
}

const server = serve();
// Without a session, a request that meets the end of an idle connection (after 5 s) goes to another server.
if (options.holds) server.keepAliveTimeout = 60_000;
server.listen(Number(options.port), '127.0.0.1');
