// A client that does what it is told on standard input, a JSON object per line; and says on standard output what came of
// it. See python/driver.py.

import { createInterface } from 'node:readline';

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** The error of a server as the harness knows it; anything else is a failure. */
function failure(error) {
  const answered = typeof error.code === 'number' && error.name !== 'StreamableHTTPError' && !/^Sdk/.test(error.name);
  if (!answered) return { failed: `${error.name} ${error.code}: ${error.message} ${error.cause ?? ''}` };
  return { error: { code: error.code, message: error.message, data: error.data } };
}

/** `connect(command, fetch, heard)` makes a session: `client`, `transport`, `callTool` and what else it can do in `more`. */
export function drive(connect) {
  const sessions = new Map();

  async function perform(command) {
    const name = command.session;
    if (command.op === 'connect') {
      const session = { token: command.token };
      const signed = (url, init) => {
        const headers = new Headers(init?.headers);
        if (session.token) headers.set('authorization', `Bearer ${session.token}`);
        return fetch(url, { ...init, headers });
      };
      const heard = (method) => say({ session: name, heard: method });
      sessions.set(name, Object.assign(session, await connect(command, signed, heard)));
      return { done: true };
    }
    const session = sessions.get(name);
    switch (command.op) {
      case 'token':
        session.token = command.token;
        return { done: true };
      case 'close':
        sessions.delete(name);
        await session.transport.terminateSession?.();
        await session.client.close();
        return { done: true };
      case 'tools':
        return { tools: (await session.client.listTools()).tools.map((tool) => tool.name).sort() };
      case 'call': {
        const onprogress = () => say({ session: name, heard: `progress of ${command.id}` });
        const result = await session.callTool({ name: command.tool, arguments: command.arguments }, { onprogress });
        return result.isError ? { failed: JSON.stringify(result) } : { text: result.content[0].text };
      }
      default:
        return session.more(command);
    }
  }

  createInterface({ input: process.stdin }).on('line', async (line) => {
    const command = JSON.parse(line);
    say({ id: command.id, ...(await perform(command).catch(failure)) });
  });
}
