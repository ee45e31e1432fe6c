"""A Kafka that tests start, kill and start again."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from coinbase_insights.log.kafka import Address

JARS = Path(__file__).parents[1] / ".components/kafka/jars"
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


TOKENS = """
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT
sasl.enabled.mechanisms=OAUTHBEARER
sasl.mechanism.inter.broker.protocol=OAUTHBEARER
listener.name.plaintext.oauthbearer.sasl.jaas.config=\\
  org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \\
  unsecuredLoginStringClaim_sub="broker";
"""
"""Of a broker that wants a token, and believes any (kafka.apache.org/documentation/#security_sasl_oauthbearer)."""


class Broker:
    """One Kafka, that can be killed and started again with what it has on the disk."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.servers = f"127.0.0.1:{(port := free_port())}"
        self.client: dict[str, Any] = {"bootstrap.servers": self.servers}
        """What its clients are told."""
        self._settings = folder / "server.properties"
        self._settings.write_text(PROPERTIES.format(port=port, controller=free_port(), data=folder / "data") + more)
        self._java(
            "kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", str(self._settings)
        ).wait()
        self.process: subprocess.Popen[bytes] | None = None

    def _java(self, *words: str) -> "subprocess.Popen[bytes]":
        command = ["java", "-Xmx384m", "-cp", f"{JARS}/*", *words]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self) -> None:
        self.process = self._java("kafka.Kafka", str(self._settings))
        deadline = time.monotonic() + 50
        while not self._answers():
            assert time.monotonic() < deadline, "Kafka did not start"

    def _answers(self) -> bool:
        try:
            return bool(AdminClient(self.client, logger=SILENT).list_topics(timeout=1).brokers)
        except Exception:  # noqa: BLE001 - whatever it is that a broker says that is not there yet
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def make_topic(self, *words: str) -> None:
        """Do what kafka-topics.sh does with these words."""
        assert self._java("org.apache.kafka.tools.TopicCommand", *words).wait() == 0

    def topic(self, name: str, partitions: int = 1) -> Address:
        admin = AdminClient(self.client)
        for done in admin.create_topics([NewTopic(name, partitions, 1)]).values():
            done.result()
        return Address(self.servers, name)

    def make_anew(self, where: Address) -> None:
        """Remove a topic, and make another one of its name."""
        admin = AdminClient(self.client)
        for done in admin.delete_topics([where.topic]).values():
            done.result()
        self.topic(where.topic)

    def forget(self, where: Address, offset: int) -> None:
        """Remove the messages of a topic below an offset, as its retention would."""
        admin = AdminClient(self.client)
        for done in admin.delete_records([TopicPartition(where.topic, 0, offset)]).values():
            done.result()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that runs."""
    if not JARS.is_dir():
        pytest.skip("there is no Kafka: `make components` brings it with Maven")
    made = Broker(tmp_path_factory.mktemp("kafka"))
    made.start()
    yield made
    made.kill()


class _Silent:
    def log(self, *_: object, **__: object) -> None:
        """Say nothing."""


SILENT = _Silent()
