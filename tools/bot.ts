/**
 * A bot in thirty lines: it answers everybody who writes to it, over the HTTP interface and nothing else.
 *
 *   npm run bot -- http://127.0.0.1:8400 tt_… 100     the API, a key with messages:send, events:read and events:content,
 *                                                    and the user that it is
 */
const [base, key, id] = process.argv.slice(2);
if (base === undefined || key === undefined || id === undefined) throw new Error('give the URL, a key and a user id');
const me = Number(id);
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
const said = [/^help\b/i, /^ping\b/i, /^time\b/i] as const;
const answers = [() => 'I know: ping, time, help', () => 'pong', () => new Date().toISOString()] as const;

async function call(path: string, init: RequestInit = {}) {
  const response = await fetch(`${base}/api/v1${path}`, { ...init, headers: { ...headers, ...init.headers } });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  // biome-ignore lint/suspicious/noExplicitAny: an example; a generated client has the types
  return (await response.json()) as any;
}

let { next } = await call('/events');
console.log(`user ${me} listens`);
for (;;) {
  const page = await call(`/events?cursor=${next}`);
  for (const { message } of page.events) {
    const mine = message.conversation.users?.includes(me) && message.from !== me && message.kind === 'text';
    if (!mine || message.content === undefined) continue;
    const answer = answers[said.findIndex((each) => each.test(message.content.text))] ?? answers[0];
    const body = JSON.stringify({ from: me, to: { user: message.from }, content: { type: 'text', text: answer() } });
    // Under the id of what is answered: heard twice, it is still answered once.
    const sent = { method: 'POST', body, headers: { 'idempotency-key': `answer to ${message.id}` } };
    await call('/messages', sent).catch((error: Error) => console.error(error.message));
  }
  next = page.next;
  if (page.events.length === 0) await new Promise((resolve) => setTimeout(resolve, 300));
}
