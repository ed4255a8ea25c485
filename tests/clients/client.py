"""The Python SDK as a client, told what to do by lines of JSON on standard input; `tests/src/clients.rs` has the words.

The argument says how the client begins: `session` is the SDK's older interface, which has one way; `legacy`, `auto` and a
version of the newer era are those of the newer. Whatever goes wrong ends the script with a traceback.
"""

import json
import sys
from contextlib import asynccontextmanager
from functools import partial

import anyio
from mcp import Client, ClientSession
from mcp.client.streamable_http import streamable_http_client


def say(**words):
    print(json.dumps(words), flush=True)


async def hear():
    line = await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    return json.loads(line) if line else None


@asynccontextmanager
async def session(url):
    async with streamable_http_client(url) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield session


async def call(client, tool, arguments, cancel):
    steps = []

    async def progress(number, total, message):
        steps.append({"progress": number, "total": total, "message": message})

    async def cancel_when_told(scope):
        await hear()
        scope.cancel()

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            if cancel:
                group.start_soon(cancel_when_told, scope)
            result = await client.call_tool(tool, arguments, progress_callback=progress)
            group.cancel_scope.cancel()
    if scope.cancelled_caught:
        say(cancelled=True)
    else:
        say(result=result.model_dump(mode="json", by_alias=True, exclude_none=True), progress=steps)


async def main():
    beginning = sys.argv[1]
    connect = session if beginning == "session" else partial(Client, mode=beginning)
    while order := await hear():
        async with connect(order["url"]) as client:
            say(connected=True)
            while (order := await hear())["do"] != "disconnect":
                if order["do"] == "list":
                    tools = (await client.list_tools()).tools
                    say(tools=[tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools])
                else:
                    await call(client, order["tool"], order["arguments"], order["cancel"])
        say(disconnected=True)


anyio.run(main)
