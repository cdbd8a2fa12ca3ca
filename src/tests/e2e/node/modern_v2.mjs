// A modern client of the TypeScript SDK 2.x: reads a list page by page and listens, in several phases.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { later } from './transcript.mjs';

const job = JSON.parse(readFileSync(process.argv[2]));
const options = { capabilities: {}, versionNegotiation: { mode: 'auto' }, cache: false };
const client = new Client({ name: 'typescript-v2', version: '0' }, options);
const failures = [];
const events = [];
client.fallbackNotificationHandler = async (notification) => events.push(notification.method);

/** Whether a change is heard that one of the servers, whichever it is, announces. */
async function heard() {
  const before = events.length;
  for (let turn = 0; turn < 3 * job.peers && events.length === before; turn++) {
    await client.callTool({ name: 'announce', arguments: {} });
    await later(200);
  }
  return events.length > before;
}

await client.connect(new StreamableHTTPClientTransport(new URL(job.url)));
const subscription = await client.listen({ resourcesListChanged: true });
let leaving = false;
subscription.closed.then((why) => leaving || failures.push(`the subscription has ended: ${JSON.stringify(why)}`));
const phases = [];
for (let phase = 0; phase < job.phases; phase++) {
  for (let round = 0; round < job.rounds; round++) {
    try {
      // It reads all pages by itself.
      const { resources } = await client.listResources();
      if (resources.length !== job.resources) failures.push(`${phase}: ${resources.length} resources`);
    } catch (error) {
      failures.push(`${phase}: ${error}`);
    }
  }
  phases.push(await heard());
  writeFileSync(`${job.out}.over${phase}`, '');
  while (!existsSync(`${job.out}.next${phase}`)) await later(50);
}
leaving = true;
writeFileSync(job.out, JSON.stringify({ failures, heard: phases }));
process.exit(0);
