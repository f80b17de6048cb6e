"""The client of pygls (as pytest-lsp has it) against examples/06_lsp_server.lua: python lsp_client.py SERVER FOLDER"""

import asyncio
import sys

from lsprotocol import types
from pygls.exceptions import JsonRpcMethodNotFound
from pytest_lsp import client_capabilities, make_test_lsp_client

SERVER, FOLDER = sys.argv[1:]
URI = "file:///a.txt"


def spot(line, character):
    return types.Position(line=line, character=character)


def document(text):
    return types.TextDocumentItem(uri=URI, language_id="plaintext", version=1, text=text)


async def main():
    client = make_test_lsp_client()
    complaints = []
    client.report_server_error = lambda error, source: complaints.append((error, source))
    await client.start_io("lua5.4", SERVER, cwd=FOLDER, env={"PATH": "/usr/local/bin:/usr/bin:/bin"})
    result = await client.initialize_session(
        types.InitializeParams(capabilities=client_capabilities("visual-studio-code"), root_uri="file:///")
    )
    assert result.server_info.name == "text"
    assert result.capabilities.hover_provider is True

    published = types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS
    text = "clean\n\U0001f600ö  \n" + "x" * 300_000 + "\n"
    client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=document(text)))
    await client.wait_for_notification(published)
    found = client.diagnostics[URI]
    assert [(d.range.start, d.range.end) for d in found] == [(spot(1, 3), spot(1, 5))], found

    place = types.TextDocumentIdentifier(uri=URI)
    hover = await client.text_document_hover_async(types.HoverParams(text_document=place, position=spot(1, 0)))
    assert hover.contents.value == "1 words", hover
    assert await client.text_document_hover_async(types.HoverParams(text_document=place, position=spot(9, 0))) is None
    many = [types.HoverParams(text_document=place, position=spot(n % 3, 0)) for n in range(100)]
    hovers = await asyncio.gather(*(client.text_document_hover_async(params) for params in many))
    assert all(hover.range.start.line == n % 3 for n, hover in enumerate(hovers))

    change = types.TextDocumentContentChangeWholeDocument(text="now clean")
    changed = types.VersionedTextDocumentIdentifier(uri=URI, version=2)
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(text_document=changed, content_changes=[change])
    )
    await client.wait_for_notification(published)
    assert list(client.diagnostics[URI]) == []

    try:
        await client.text_document_definition_async(types.DefinitionParams(text_document=place, position=spot(0, 0)))
        raise AssertionError("it is not refused")
    except JsonRpcMethodNotFound:
        pass

    await client.shutdown_session()
    assert await asyncio.wait_for(client._server.wait(), 10) == 0
    assert not complaints, complaints


asyncio.run(asyncio.wait_for(main(), 60))
print("lsp: ok")
