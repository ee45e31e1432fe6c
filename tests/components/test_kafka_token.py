"""A broker that wants a token, as Event Hubs does: that of the identity is shown, and taken."""

import pytest
from confluent_kafka import Consumer, KafkaException, Producer

from broker import JARS, TOKENS, Broker
from coinbase_insights.log.kafka import signed_in
from identity import Identity

pytestmark = pytest.mark.timeout(120)
SCOPE = "https://desk.servicebus.windows.net/.default"


def test_who_shows_the_token_of_its_identity_sends_and_receives(
    told: Identity, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not JARS.is_dir():
        pytest.skip("there is no Kafka: `make components` brings it with Maven")
    broker = Broker(tmp_path_factory.mktemp("kafka"), TOKENS)
    broker.client |= {"security.protocol": "SASL_PLAINTEXT"} | signed_in(SCOPE)
    broker.start()
    try:
        broker.topic("raw")
        producer = Producer(broker.client)
        producer.produce("raw", b"hello")
        left = producer.flush(30)
        consumer = Consumer(broker.client | {"group.id": "desk", "auto.offset.reset": "earliest"})
        consumer.subscribe(["raw"])
        message = consumer.poll(30)
        consumer.close()
        nobody = Consumer({"bootstrap.servers": broker.servers, "group.id": "desk"})
        with pytest.raises(KafkaException):
            nobody.list_topics(timeout=2)
        nobody.close()
    finally:
        broker.kill()

    assert left == 0
    assert message is not None
    assert (message.error(), message.value()) == (None, b"hello")
    assert {each["resource"] for each in told.asked} == {"https://desk.servicebus.windows.net"}
