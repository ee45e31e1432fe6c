"""Signing in to Azure as a container of App Service does, against an endpoint that speaks as its does."""

import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from coinbase_insights import azure
from coinbase_insights.errors import StorageError, UsageError
from coinbase_insights.lake.delta import Delta
from coinbase_insights.lake.place import Store
from coinbase_insights.lake.tables import RAW
from coinbase_insights.log.kafka import CONNECTION_STRING, Address, client
from coinbase_insights.warehouse.address import Address as Warehouse
from identity import CLIENT_ID, Identity

SCOPE = "https://desk.servicebus.windows.net/.default"


def test_a_container_gets_the_token_of_its_identity(told: Identity) -> None:
    found = azure.token(SCOPE)

    assert found.text == told.tokens[0]
    assert found.expires_at == pytest.approx(time.time() + 3600, abs=60)
    asked = {"resource": "https://desk.servicebus.windows.net", "client_id": CLIENT_ID}
    assert asked.items() <= told.asked[0].items()


def test_a_token_is_asked_for_again_only_when_it_is_about_to_expire(told: Identity) -> None:
    azure.token(SCOPE)
    azure.token(SCOPE)
    assert len(told.asked) == 1

    azure._credential.cache_clear()
    told.seconds = 200
    first, second = azure.token(SCOPE), azure.token(SCOPE)
    assert (first.text, second.text) == (told.tokens[1], told.tokens[2])


def test_why_there_is_no_token_is_said_with_what_to_type(told: Identity) -> None:
    told.refusal = "No such identity"

    with pytest.raises(StorageError, match=r"Azure does not say who we are: .*No such identity") as error:
        azure.token(SCOPE)
    assert "AZURE_CLIENT_ID" in error.value.hint
    assert "\n" not in error.value.message


def test_without_the_library_it_says_what_to_install(told: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    azure._credential.cache_clear()

    with pytest.raises(UsageError, match="needs more than the core") as error:
        azure.token(SCOPE)
    assert "[azure]" in error.value.hint


def test_event_hubs_is_shown_a_token_over_tls(told: Identity) -> None:
    found = client(Address("desk.servicebus.windows.net:9093", "raw"))

    text, expires_at = found["oauth_cb"]("")
    assert (found["security.protocol"], found["sasl.mechanisms"]) == ("SASL_SSL", "OAUTHBEARER")
    assert (text, expires_at > time.time()) == (told.tokens[0], True)
    assert told.asked[0]["resource"] == "https://desk.servicebus.windows.net"


def test_a_connection_string_is_taken_where_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONNECTION_STRING, "Endpoint=sb://desk/;SharedAccessKey=secret")

    found = client(Address("desk.servicebus.windows.net:9093", "raw"))

    assert (found["sasl.mechanisms"], found["sasl.username"]) == ("PLAIN", "$ConnectionString")
    assert (found["security.protocol"], found["sasl.password"][-6:]) == ("SASL_SSL", "secret")


@pytest.mark.parametrize("servers", ["127.0.0.1:9092", "desk.servicebus.windows.net.example.com:9093", "kafka:9093"])
def test_no_other_broker_is_shown_who_we_are(servers: str, told: Identity) -> None:
    assert client(Address(servers, "raw")) == {"bootstrap.servers": servers, "log_level": 2}
    assert told.asked == []


def test_a_command_says_what_is_missing_and_shows_no_secret(told: Identity) -> None:
    told.refusal = "No such identity"

    done = subprocess.run(
        [sys.executable, "-m", "coinbase_insights", "run", "--from", "kafka://desk.servicebus.windows.net:9093/raw"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.splitlines()[-2].startswith("error: Azure does not say who we are: ")
    assert "Traceback" not in done.stderr
    assert os.environ["IDENTITY_HEADER"] not in done.stderr


AT_AZURE = "postgresql://app%40desk@wh.postgres.database.azure.com/insights"


def test_a_database_in_azure_is_shown_a_token_over_tls_that_is_verified() -> None:
    address = Warehouse.parse(AT_AZURE)

    signed = address.with_token("a.b/cd", "/etc/ssl/some file.crt")
    assert address.wants_token
    assert signed.shown == AT_AZURE
    assert signed.target == (
        "postgresql://app%40desk:a.b%2Fcd@wh.postgres.database.azure.com/insights"
        "?sslmode=verify-full&sslrootcert=%2Fetc%2Fssl%2Fsome%20file.crt"
    )
    assert signed.without_secrets(signed.target).count("***") == 1


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:password@wh.postgres.database.azure.com/insights",
        "postgresql://me@wh.postgres.database.azure.com.example.com/insights",
        "postgresql://me@127.0.0.1/insights",
        "duckdb:///wh.postgres.database.azure.com/insights",
    ],
)
def test_no_other_database_is_shown_who_we_are(text: str) -> None:
    assert not Warehouse.parse(text).wants_token


def test_nothing_leads_a_token_elsewhere_and_who_signs_in_must_be_said() -> None:
    chosen = Warehouse.parse(f"{AT_AZURE}?connect_timeout=5").with_token("t", "f")
    nobody = Warehouse.parse("postgresql://wh.postgres.database.azure.com/insights")

    assert chosen.target.endswith("?sslmode=verify-full&sslrootcert=f&connect_timeout=5")
    for more in ("host=evil.example", "hostaddr=10.0.0.1", "connect_timeout=5&sslmode=disable", "%68ost=evil"):
        with pytest.raises(UsageError, match="cannot be said of an address that is shown a token"):
            Warehouse.parse(f"{AT_AZURE}?{more}").with_token("t", "f")
    with pytest.raises(UsageError, match="does not say as whom to sign in"):
        nobody.with_token("t", "f")


def test_the_lake_is_shown_the_same_token(told: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str | None] = []

    class Storage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers["Authorization"])
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_GET  # noqa: N815 - the name that the library looks for

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Storage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "desk")
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
        with pytest.raises(Exception, match="403"):
            Store("az://lake/lake").names()
        by_us = len(shown)
        with pytest.raises(StorageError, match="necessary privileges"):
            Delta("az://lake/lake", RAW)
        server.shutdown()

    assert 0 < by_us < len(shown)
    assert {*shown} == {f"Bearer {token}" for token in told.tokens}
    assert {each["client_id"] for each in told.asked} == {CLIENT_ID}
