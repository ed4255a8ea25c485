// The TypeScript SDKs as clients, told what to do by lines of JSON on standard input; `tests/src/clients.rs` has the words.
//
// The argument says how the client begins: `first` is the first SDK, which has one way; `legacy`, `auto` and a version of
// the newer era are those of the second. A CommonJS script, because Node.js looks into NODE_PATH for those alone. Whatever
// goes wrong ends it with a stack.

const { createInterface } = require("node:readline");

const [beginning] = process.argv.slice(2);
const sdk = beginning === "first" ? first() : second(["legacy", "auto"].includes(beginning) ? beginning : { pin: beginning });

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const say = (words) => console.log(JSON.stringify(words));

async function hear() {
  const { value, done } = await lines.next();
  return done ? undefined : JSON.parse(value);
}

function first() {
  const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
  return {
    ...require("@modelcontextprotocol/sdk/client/stdio.js"),
    ...require("@modelcontextprotocol/sdk/client/streamableHttp.js"),
    client: () => new Client({ name: "typescript-sdk", version: "1" }),
    call: (client, params, options) => client.callTool(params, undefined, options),
  };
}

function second(mode) {
  const { Client, ...rest } = require("@modelcontextprotocol/client");
  return {
    ...rest,
    ...require("@modelcontextprotocol/client/stdio"),
    client: () => new Client({ name: "typescript-sdk", version: "2" }, { versionNegotiation: { mode } }),
    call: (client, params, options) => client.callTool(params, options),
  };
}

// `url` over Streamable HTTP, or through the bridge that `command` and its `args` start.
function transport({ url, command, args, env }) {
  return command ? new sdk.StdioClientTransport({ command, args, env }) : new sdk.StreamableHTTPClientTransport(new URL(url));
}

async function call(client, { tool, arguments: given, cancel, patience }) {
  const progress = [];
  const abort = new AbortController();
  const options = { signal: abort.signal, onprogress: (step) => progress.push(step) };
  if (patience) Object.assign(options, { timeout: patience, resetTimeoutOnProgress: true });
  const running = sdk.call(client, { name: tool, arguments: given }, options);
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
    const client = sdk.client();
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
