// The TypeScript SDK as a client, told what to do by lines of JSON on standard input; `tests/src/clients.rs` has the words.
//
// A CommonJS script, because Node.js looks into NODE_PATH for those alone. Whatever goes wrong ends it with a stack.

const { createInterface } = require("node:readline");
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const say = (words) => console.log(JSON.stringify(words));

async function hear() {
  const { value, done } = await lines.next();
  return done ? undefined : JSON.parse(value);
}

// `url` over Streamable HTTP, or through the bridge that `command` and its `args` start.
function transport({ url, command, args, env }) {
  return command ? new StdioClientTransport({ command, args, env }) : new StreamableHTTPClientTransport(new URL(url));
}

async function call(client, { tool, arguments: given, cancel }) {
  const progress = [];
  const abort = new AbortController();
  const options = { signal: abort.signal, onprogress: (step) => progress.push(step) };
  const running = client.callTool({ name: tool, arguments: given }, undefined, options);
  if (cancel) {
    await hear();
    abort.abort();
    await running.then(
      (result) => say({ result, progress }),
      () => say({ cancelled: true }),
    );
  } else {
    say({ result: await running, progress });
  }
}

async function main() {
  for (let order = await hear(); order; order = await hear()) {
    const client = new Client({ name: "typescript-sdk", version: "1" });
    await client.connect(transport(order));
    say({ connected: true });
    for (order = await hear(); order.do !== "disconnect"; order = await hear()) {
      if (order.do === "list") say({ tools: (await client.listTools()).tools });
      else await call(client, order);
    }
    await client.close();
    say({ disconnected: true });
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
