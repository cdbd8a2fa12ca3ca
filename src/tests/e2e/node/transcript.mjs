// What a client saw, one JSON line per step; and the same main program for both TypeScript clients.

import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';

export const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Answers every request of a server alike, whatever the server. */
export const answers = {
  'sampling/createMessage': () => ({
    role: 'assistant',
    content: { type: 'text', text: 'sampled' },
    model: 'none',
    stopReason: 'endTurn',
  }),
  'elicitation/create': () => ({ action: 'accept', content: { colour: 'red', name: 'ada' } }),
  'roots/list': () => ({ roots: [{ uri: 'file:///home', name: 'home' }] }),
};

/** What both clients declare. */
export const capabilities = { sampling: {}, elicitation: {}, roots: { listChanged: false } };

/** Waits until the recorder has seen the server answer the client's GET. */
export const streamOpen = (job) => fetch(`${job.recorder}/stream`);

/** Polls for the condition, for five seconds at most. */
export async function eventually(condition) {
  for (let turn = 0; turn < 500 && !condition(); turn++) await later(10);
}

function within(seconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function one(job, script) {
  writeFileSync(job.out, '');
  const step = (name, seen) => appendFileSync(job.out, `${JSON.stringify({ step: name, seen })}\n`);
  const steps = JSON.parse(readFileSync(job.scenario)).filter((each) => !each.needs || job.has.includes(each.needs));
  try {
    await within(job.timeout, script(job, steps, step));
    step('end', 'clean');
  } catch (error) {
    step('end', String(error));
    console.error(error);
  }
}

async function many(job, oneSession) {
  const failures = [];
  const session = (number) =>
    within(job.timeout, oneSession(job, number)).catch((error) => {
      failures.push(`session ${number}: ${error} ${error.cause ?? ''}`);
    });
  await Promise.all(Array.from({ length: job.sessions }, (_, number) => session(number)));
  writeFileSync(job.out, JSON.stringify({ sessions: job.sessions, failures }));
}

/** Runs the jobs of the file named on the command line, one after the other. */
export async function main(script, oneSession) {
  for (const job of JSON.parse(readFileSync(process.argv[2]))) {
    await (job.sessions ? many(job, oneSession) : one(job, script));
    console.log('done', job.out);
  }
  process.exit(0);
}
