"""The server's side: files come in a stream, go to disk, and are never held in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, BinaryIO, Final

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pages.ui.upload.store import MOST_FILES, RefusedError, Uploads

if TYPE_CHECKING:
    from starlette.requests import Request

_LIST_LIMIT_BYTES: Final = 400 * MOST_FILES
_WRITTEN_AT_ONCE: Final = 2**20

Handler = Callable[["Request", Uploads], Awaitable[Response]]


def routes(uploads: Callable[[], Uploads]) -> list[Route]:
    """`POST /upload/TICKET` names the files; `PUT …/KEY/PLACE` brings one; `DELETE …/KEY` gives it up."""

    def answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request, uploads())
            except RefusedError as refused:
                return PlainTextResponse(str(refused), refused.status)

        return answer

    return [
        Route("/upload/{ticket}", answering(_begin), methods=["POST"]),
        Route("/upload/{ticket}/{key}/{place:int}", answering(_take), methods=["PUT"]),
        Route("/upload/{ticket}/{key}", answering(_cancel), methods=["DELETE"]),
    ]


async def _begin(request: Request, uploads: Uploads) -> Response:
    files = _files(await _small_body(request))
    key = await asyncio.to_thread(uploads.begin, request.path_params["ticket"], files)
    return JSONResponse({"key": key})


async def _take(request: Request, uploads: Uploads) -> Response:
    ticket, key, place = (request.path_params[name] for name in ("ticket", "key", "place"))
    file, size = await asyncio.to_thread(uploads.open, ticket, key, place)
    try:
        with file:
            written = await _stream(request, file, size)
    except (ClientDisconnect, asyncio.CancelledError):
        written = -1
    if written != size:
        await asyncio.to_thread(uploads.cancel, ticket, key)
        raise RefusedError("The file came in another length than was announced.", 400)
    uploads.finished(ticket, key, place)
    return Response(status_code=204)


async def _cancel(request: Request, uploads: Uploads) -> Response:
    await asyncio.to_thread(uploads.cancel, request.path_params["ticket"], request.path_params["key"])
    return Response(status_code=204)


async def _stream(request: Request, file: BinaryIO, size: int) -> int:
    """Write the body as it comes; returns its length, as far as it was looked at."""
    written, waiting = 0, bytearray()
    async for chunk in request.stream():
        waiting += chunk
        if written + len(waiting) > size:
            return written + len(waiting)
        if len(waiting) >= _WRITTEN_AT_ONCE:
            written += await asyncio.to_thread(file.write, waiting)
            waiting = bytearray()
    return written + await asyncio.to_thread(file.write, waiting)


async def _small_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LIST_LIMIT_BYTES:
            raise RefusedError("The list of files is too long.", 413)
    return bytes(body)


def _files(body: bytes) -> list[tuple[str, int]]:
    """Names and sizes of `[[name, size], …]`."""
    try:
        given = json.loads(body)
        files = [(name, size) for name, size in given if isinstance(name, str) and type(size) is int and size >= 0]
    except (ValueError, TypeError, RecursionError):
        given, files = None, []
    if not files or len(files) != len(given):
        raise RefusedError("A list of names and sizes is needed.")
    return files
