"""Row 44: an exchange that cannot prove who it is gets nothing from us; certificates and proxies are the system's."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from coinbase_insights.errors import UnreachableError
from coinbase_insights.message import Lost
from exchange import Exchange
from faults.listener import Listener, listening, within


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user does whose company has an authority of its own."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


def server(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def play(exchange: Exchange, test: Callable[[Listener], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(30), exchange, listening(exchange) as listener:
            await test(listener)

    asyncio.run(run())


def refused(tls: ssl.SSLContext, words: str) -> None:
    """The reason is told, and not a byte of ours has passed."""

    async def test(listener: Listener) -> None:
        with pytest.raises(UnreachableError, match=words):
            await listener.until(lambda: False, limit=within(30))
        assert listener.messages == []
        assert exchange.connections == []

    exchange = Exchange(tls=tls)
    play(exchange, test)


@pytest.mark.usefixtures("trusted")
def test_row_44_a_certificate_of_an_authority_named_in_ssl_cert_file_is_trusted(authority: trustme.CA) -> None:
    async def test(listener: Listener) -> None:
        await listener.quotes(5)

    play(Exchange(tls=server(authority.issue_cert("localhost"))), test)


def test_row_44_a_certificate_that_signs_itself_is_refused(authority: trustme.CA) -> None:
    refused(server(authority.issue_cert("localhost")), "(?i)self.signed|unable to get local issuer")


@pytest.mark.usefixtures("trusted")
def test_row_44_an_expired_certificate_is_refused(authority: trustme.CA) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    certificate = authority.issue_cert("localhost", not_before=yesterday - timedelta(days=1), not_after=yesterday)
    refused(server(certificate), "expired")


@pytest.mark.usefixtures("trusted")
def test_row_44_the_certificate_of_another_host_is_refused(authority: trustme.CA) -> None:
    refused(server(authority.issue_cert("ws-feed.example.org")), "(?i)hostname mismatch")


@pytest.mark.usefixtures("trusted")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_row_44_tls_of_2006_is_refused(authority: trustme.CA) -> None:
    context = server(authority.issue_cert("localhost"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    refused(context, "(?i)version|protocol|closed|ended|reset")


@pytest.mark.usefixtures("trusted")
def test_row_44_a_certificate_that_goes_bad_in_mid_life_is_refused_and_outlived(authority: trustme.CA) -> None:
    good, bad = server(authority.issue_cert("localhost")), server(trustme.CA().issue_cert("localhost"))

    async def test(listener: Listener) -> None:
        await listener.quotes(5)
        await exchange.stop()
        exchange.tls = bad
        await exchange.start()
        await listener.until(lambda: any("certificate" in lost.reason for lost in listener.lost))
        assert len(exchange.connections) == 1
        await exchange.stop()
        exchange.tls = good
        await exchange.start()
        assert await listener.seconds_to_quote(listener.when(Lost, -1)) <= within(7)

    exchange = Exchange(tls=good)
    play(exchange, test)


class Proxy:
    """An HTTP proxy that lets a client through to one port, whatever host it names."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        to_server = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(self.copy(reader, to_server[1]), self.copy(to_server[0], writer))

    async def copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()


def test_row_44_a_proxy_named_in_the_environment_is_used_and_its_password_told_to_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), Exchange() as exchange:
            proxy = Proxy(exchange.port)
            door = await asyncio.start_server(proxy, "127.0.0.1", 0)
            port = door.sockets[0].getsockname()[1]
            monkeypatch.setenv("http_proxy", f"http://user:s3cr3t@127.0.0.1:{port}")
            async with door, listening("ws://exchange.example:80") as listener:
                await listener.quotes(5)
                assert proxy.asked[0].startswith("CONNECT exchange.example:80 ")
                door.close()
                await exchange.stop()
                await listener.until(lambda: len(listener.lost) >= 3)
                assert "s3cr3t" not in caplog.text + "".join(lost.reason for lost in listener.lost)

    caplog.set_level("INFO", logger="coinbase_insights")
    asyncio.run(run())
