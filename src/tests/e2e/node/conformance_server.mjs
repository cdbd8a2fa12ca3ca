// What the conformance suite asks a server for, on the TypeScript SDK 2.x: sessions of the legacy era and the modern era on one URL.

import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import {
  McpServer,
  ResourceTemplate,
  classifyInboundRequest,
  createMcpHandler,
  createRequestStateCodec,
  fromJsonSchema,
  inputRequired,
  isInitializeRequest,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { EventLog } from './event_log.mjs';

const { values: options } = parseArgs({ options: { port: { type: 'string' }, scenario: { type: 'string' } } });
const { asks, contents, forms, inputs, prompts, resources, schemas } = JSON.parse(readFileSync(options.scenario));
// Every process has a key of its own: what one has sealed no other opens.
const codec = createRequestStateCodec({ key: randomBytes(32) });
const text = (text) => ({ content: [{ type: 'text', text }] });
const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const chosen = (names) => Object.fromEntries(names.map((name) => [name, inputs[name]]));
const isUsable = (answer) => answer !== undefined && answer.action !== 'decline' && answer.action !== 'cancel';
// An answer to a question has what was asked for, or it is asked again.
const isComplete = (name, answer) =>
  isUsable(answer) &&
  (inputs[name].params.requestedSchema?.required ?? []).every((field) => answer.content?.[field] !== undefined) &&
  (name !== 'user_name' || typeof answer.content.name === 'string');

async function asked({ needs, state }, ctx) {
  const responses = ctx.mcpReq.inputResponses ?? {};
  if (needs.every((name) => isComplete(name, responses[name]))) return undefined;
  return inputRequired({ inputRequests: chosen(needs), requestState: state && (await codec.mint({ state })) });
}

async function rounds(ctx) {
  const { round = 0, name } = ctx.mcpReq.requestState() ?? {};
  const responses = ctx.mcpReq.inputResponses ?? {};
  if (round === 1 && responses.step1) {
    const requestState = await codec.mint({ round: 2, name: responses.step1.content.name });
    return inputRequired({ inputRequests: chosen(['step2']), requestState });
  }
  if (round === 2 && responses.step2) return text(`${name} likes ${responses.step2.content.color}`);
  return inputRequired({ inputRequests: chosen(['step1']), requestState: await codec.mint({ round: 1 }) });
}

function capable(ctx) {
  if (ctx.mcpReq.inputResponses) return text('enough');
  const declared = ctx.mcpReq.envelope?.['io.modelcontextprotocol/clientCapabilities'] ?? {};
  const of = { elicitation: 'user_name', sampling: 'greeting', roots: 'client_roots' };
  const names = Object.keys(of).flatMap((capability) => (declared[capability] ? [of[capability]] : []));
  return names.length ? inputRequired({ inputRequests: chosen(names) }) : text('nothing to ask');
}

async function logs(ctx) {
  for (const data of ['started', 'working', 'done']) {
    await ctx.mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } });
    await later(20);
  }
  return text('logged');
}

async function steps(ctx) {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  for (const progress of progressToken === undefined ? [] : [0, 50, 100]) {
    await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
    await later(20);
  }
  return text('stepped');
}

async function form(name, message, ctx) {
  const params = { mode: 'form', message, requestedSchema: forms[name] };
  const answer = await ctx.mcpReq.send({ method: 'elicitation/create', params });
  return text(`action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`);
}

async function sample({ prompt }, ctx) {
  const messages = [{ role: 'user', content: { type: 'text', text: prompt } }];
  const answer = await ctx.mcpReq.send({ method: 'sampling/createMessage', params: { messages, maxTokens: 100 } });
  return text(`LLM response: ${answer.content.text}`);
}

async function reconnect(ctx) {
  sessions.get(ctx.sessionId)?.closeSSEStream(ctx.mcpReq.id);
  await later(100);
  return text('reconnected');
}

const tools = {
  test_error_handling: () => {
    throw new Error('This tool intentionally returns an error for testing');
  },
  test_elicitation: ({ message }, ctx) => form('test_elicitation', message, ctx),
  test_elicitation_sep1034_defaults: (_, ctx) => form('test_elicitation_sep1034_defaults', 'defaults', ctx),
  test_elicitation_sep1330_enums: (_, ctx) => form('test_elicitation_sep1330_enums', 'choices', ctx),
  test_input_required_result_capabilities: (_, ctx) => capable(ctx),
  test_input_required_result_multi_round: (_, ctx) => rounds(ctx),
  test_logging_tool: async (_, ctx) => {
    await ctx.mcpReq.log('info', 'said only to who asked for it');
    return text('logged');
  },
  test_reconnection: (_, ctx) => reconnect(ctx),
  test_sampling: sample,
  test_tool_with_logging: (_, ctx) => logs(ctx),
  test_tool_with_progress: (_, ctx) => steps(ctx),
  test_trigger_prompt_change: () => {
    modern.notify.promptsChanged();
    return text('changed');
  },
  test_trigger_tool_change: () => {
    modern.notify.toolsChanged();
    return text('changed');
  },
  test_x_mcp_header: ({ region }) => text(`region=${region}`),
};
for (const [name, content] of Object.entries(contents)) tools[name] = () => ({ content });
for (const [name, ask] of Object.entries(asks)) {
  tools[name] = async (_, ctx) => (await asked(ask, ctx)) ?? text(`${name} is done: ${ask.state ?? 'ok'}`);
}

function registerPrompts(server) {
  for (const [name, prompt] of Object.entries(prompts)) {
    const argsSchema = z.object(Object.fromEntries(prompt.arguments.map((each) => [each, z.string()])));
    server.registerPrompt(name, { description: name, argsSchema }, (args) => {
      const filled = JSON.stringify(prompt.contents).replaceAll(/\{(\w+)\}/g, (_, word) => args[word]);
      return { messages: JSON.parse(filled).map((content) => ({ role: 'user', content })) };
    });
  }
  server.registerPrompt('test_input_required_result_prompt', { description: 'Asks first.' }, async (ctx) => {
    const answer = ctx.mcpReq.inputResponses?.user_context;
    if (!isUsable(answer)) return inputRequired({ inputRequests: chosen(['user_context']) });
    return { messages: [{ role: 'user', content: { type: 'text', text: answer.content.context } }] };
  });
}

function buildServer() {
  const listChanged = true;
  const capabilities = {
    tools: { listChanged },
    prompts: { listChanged },
    resources: { subscribe: true, listChanged },
    logging: {},
    completions: {},
  };
  const requestState = { verify: codec.verify };
  const server = new McpServer({ name: 'conformance', version: '2' }, { capabilities, requestState });
  for (const [name, call] of Object.entries(tools)) {
    const inputSchema = fromJsonSchema(schemas[name] ?? { type: 'object', properties: {} });
    server.registerTool(name, { description: name, inputSchema }, call);
  }
  for (const [uri, resource] of Object.entries(resources)) {
    server.registerResource(uri, uri, { mimeType: resource.mimeType }, () => ({ contents: [{ uri, ...resource }] }));
  }
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  server.registerResource('template', template, {}, (uri, { id }) => ({
    contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify({ id }) }],
  }));
  registerPrompts(server);
  for (const method of ['resources/subscribe', 'resources/unsubscribe', 'logging/setLevel']) {
    server.server.setRequestHandler(method, async () => ({}));
  }
  server.server.setRequestHandler('completion/complete', async () => ({ completion: { values: [], total: 0 } }));
  return server;
}

const sessions = new Map();
const modern = createMcpHandler(buildServer);
const modernHandler = toNodeHandler(modern);

function refuse(res, status, message) {
  const error = { code: status === 404 ? -32001 : -32000, message };
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ jsonrpc: '2.0', error, id: null }));
}

async function legacy(req, res, body) {
  const id = req.headers['mcp-session-id'];
  if (id && !sessions.has(id)) return refuse(res, 404, 'Session not found');
  let transport = sessions.get(id);
  if (!transport) {
    if (!isInitializeRequest(body)) return refuse(res, 400, 'No session');
    transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new EventLog(),
      retryInterval: 200,
      onsessioninitialized: (session) => sessions.set(session, transport),
      onsessionclosed: (session) => sessions.delete(session),
    });
    await buildServer().connect(transport);
  }
  return transport.handleRequest(req, res, body);
}

async function bodyOf(req) {
  const pieces = [];
  for await (const piece of req) pieces.push(piece);
  try {
    return JSON.parse(Buffer.concat(pieces).toString());
  } catch {
    return undefined;
  }
}

createServer(async (req, res) => {
  const host = new URL(`http://${req.headers.host}`).hostname;
  if (!['127.0.0.1', 'localhost'].includes(host)) return refuse(res, 403, 'Invalid Host');
  if (req.url === '/sessions') return res.end(String(sessions.size));
  if (req.method !== 'POST') return legacy(req, res);
  const body = await bodyOf(req);
  const inbound = classifyInboundRequest({
    httpMethod: req.method,
    protocolVersionHeader: req.headers['mcp-protocol-version'],
    mcpMethodHeader: req.headers['mcp-method'],
    body,
  });
  return inbound.kind === 'legacy' ? legacy(req, res, body) : modernHandler(req, res, body);
}).listen(Number(options.port), '127.0.0.1');
