"""A server that sends everything as fast as it is taken: `python -m benchmarks.flood LINES plain|deflate`.

It prints its port. All frames are built before the first is sent, so that a client never waits for it. With
`deflate` it compresses for a client that offers permessage-deflate, as Coinbase does (RFC 7692, one context for the
whole connection).
"""

import asyncio
import base64
import hashlib
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from .tickers import messages

FRAMES_A_WRITE = 100
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
OFFER = b"permessage-deflate"


def frame(payload: bytes, first: int) -> bytes:
    """Wrap a payload of any length, unmasked, as servers do (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    long = (126, 2) if size < 65_536 else (127, 8)
    return bytes((first, long[0])) + size.to_bytes(long[1]) + payload


def frames(texts: Iterable[bytes], is_deflated: bool) -> Iterator[bytes]:
    """Wrap messages as whole text frames."""
    packer = zlib.compressobj(wbits=-15)
    for text in texts:
        if is_deflated:
            packed = packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)
            yield frame(packed.removesuffix(b"\x00\x00\xff\xff"), 0xC1)
        else:
            yield frame(text, 0x81)


class Flood:
    """Floods each client once."""

    def __init__(self, lines: list[bytes], has_deflate: bool) -> None:
        """Keep the lines of `tickers.write_flood`."""
        self._lines = lines
        self._has_deflate = has_deflate

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Shake hands, wait for the subscription, send everything, and wait until the client has had enough."""
        head = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        key = next(line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        is_deflated = self._has_deflate and OFFER in headers.get(b"sec-websocket-extensions", b"")
        writer.write(self._welcome(key, is_deflated))
        await reader.read(65_536)
        built = list(frames(messages(self._lines, time.time_ns() // 1000), is_deflated))
        try:
            for start in range(0, len(built), FRAMES_A_WRITE):
                writer.write(b"".join(built[start : start + FRAMES_A_WRITE]))
                await writer.drain()
            while await reader.read(65_536):
                pass
        except ConnectionError:
            pass
        writer.close()

    def _welcome(self, key: bytes, is_deflated: bool) -> bytes:
        proof = base64.b64encode(hashlib.sha1(key + GUID).digest())
        extension = b"Sec-WebSocket-Extensions: " + OFFER + b"\r\n" if is_deflated else b""
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + proof + b"\r\n" + extension + b"\r\n"
        )


async def main(path: str, kind: str) -> None:
    """Serve on a free port until the process is ended."""
    flood = Flood(Path(path).read_bytes().split(b"\n"), kind == "deflate")
    server = await asyncio.start_server(flood.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
