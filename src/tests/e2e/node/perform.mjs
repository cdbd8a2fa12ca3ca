// One step of a scenario; the two SDKs differ only in how a tool is called and how changes are heard.

import { eventually, streamOpen } from './transcript.mjs';

export async function perform(client, step, callTool, changes) {
  switch (step.op) {
    case 'ping':
      return client.ping();
    case 'list_tools':
      return client.listTools();
    case 'list_resources':
      return client.listResources();
    case 'list_templates':
      return client.listResourceTemplates();
    case 'list_prompts':
      return client.listPrompts();
    case 'call': {
      const progress = [];
      const options = step.progress ? { onprogress: (each) => progress.push(each) } : {};
      const result = await callTool({ name: step.name, arguments: step.arguments }, options);
      return { result, progress };
    }
    case 'read':
      return client.readResource({ uri: step.uri });
    case 'prompt':
      return client.getPrompt({ name: step.name, arguments: step.arguments });
    case 'complete':
      return client.complete({ ref: { type: 'ref/prompt', name: step.prompt }, argument: step.argument });
    case 'level':
      return client.setLoggingLevel(step.level);
    case 'subscribe':
      return client.subscribeResource({ uri: step.uri });
    case 'unsubscribe':
      return client.unsubscribeResource({ uri: step.uri });
    case 'changes':
      return changes();
    default:
      throw new Error(`unknown step ${step.op}`);
  }
}

/** Everything that `announce` announces on the GET stream of the legacy era. */
export async function streamChanges(step, job, heard, callTool) {
  if (job.transport === 'http') await streamOpen(job);
  heard.length = 0;
  const result = await callTool({ name: step.name, arguments: {} }, {});
  await eventually(() => heard.length >= step.expect);
  return { result, changes: heard.map((each) => JSON.stringify(each)).sort() };
}

/** Calls `tool` over and over; throws at the first answer that is not the call's own. */
export async function calls(job, number, callTool) {
  for (let call = 0; call < job.calls; call++) {
    const text = `${number}/${call}`;
    const result = await callTool({ name: job.tool, arguments: { [job.argument]: text } }, {});
    if (result.isError || !result.content[0].text.includes(text)) {
      throw new Error(`call ${call} was answered ${JSON.stringify(result)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000 * (job.pause ?? 0)));
  }
}

/** The error of a step, as the transcript keeps it. */
export const failure = (error) => ({ error: { name: error.name, code: error.code, message: error.message } });
