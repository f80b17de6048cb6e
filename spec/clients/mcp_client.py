"""The official MCP client against examples/05_mcp_server.lua: python mcp_client.py SERVER FOLDER

FOLDER is where the server starts; its library is found there by the default package.cpath alone, since the client
passes on nothing of the environment but HOME, PATH and the like.
"""

import asyncio
import logging
import sys
import warnings

from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

SERVER, FOLDER = sys.argv[1:]
warnings.simplefilter("ignore")  # ping is on its way out


class Complaints(logging.Handler):
    """Whatever the client logs: a line on stdout that is no message, for one."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


async def refused(awaitable):
    try:
        await awaitable
    except MCPError as error:
        return error.error.code
    raise AssertionError("it is not refused")


async def converse(mode):
    parameters = StdioServerParameters(command="lua5.4", args=[SERVER], cwd=FOLDER)
    async with Client(stdio_client(parameters), mode=mode) as client:
        assert client.protocol_version == "2025-11-25", client.protocol_version
        assert client.server_info.name == "notes"
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.prompts is None

        if mode == "legacy":
            await client.send_ping()

        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["add_note", "list_notes"]
        assert tools[0].input_schema["required"] == ["title", "text"]

        kept = await client.call_tool("add_note", {"title": "ö", "text": "a\nb\u2028c"})
        assert not kept.is_error and kept.content[0].text == "kept: ö", kept
        await asyncio.gather(*(client.call_tool("add_note", {"title": str(n), "text": "x" * 10_000}) for n in range(50)))
        listed = (await client.call_tool("list_notes")).content[0].text
        assert len(listed.split("\n")) == 51 and "ö" in listed, listed

        failed = await client.call_tool("add_note", {"title": "", "text": ""})
        assert failed.is_error and failed.content[0].text == "a note needs a title", failed
        assert await refused(client.call_tool("add_note", {"title": "x"})) == -32602
        assert await refused(client.call_tool("no_such_tool", {})) == -32602
        assert await refused(client.list_prompts()) == -32601


async def main():
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    for mode in ("legacy", "auto"):
        await converse(mode)
    assert not complaints.texts, complaints.texts


asyncio.run(asyncio.wait_for(main(), 60))
print("mcp: ok")
