"""Drives librdkafka through confluent-kafka: a JSON command a line in, a JSON answer a line out."""

import base64
import json
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

WAIT_SECONDS = 20


def encode(value):
    return None if value is None else base64.b64encode(value).decode()


def decode(value):
    return None if value is None else base64.b64decode(value)


def produce(command):
    producer = Producer(
        {
            "bootstrap.servers": command["bootstrap"],
            "acks": command["acks"],
            "enable.idempotence": command["idempotent"],
            "compression.type": command["codec"],
            "message.max.bytes": 50_000_000,
            # One batch, however slowly this program runs: flush does not wait for it.
            "linger.ms": 1000,
            "message.timeout.ms": 20_000,
        }
    )
    count = len(command["records"])
    offsets = [None] * count
    timestamps = [None] * count
    errors = []

    def delivered(index):
        def report(error, message):
            if error is not None:
                errors.append(error.name())
            else:
                # With acks=0 there is no offset.
                at = message.offset()
                offsets[index] = at if at is not None and at >= 0 else None
                timestamps[index] = message.timestamp()[1]

        return report

    for index, record in enumerate(command["records"]):
        producer.produce(
            command["topic"],
            key=decode(record["key"]),
            value=decode(record["value"]),
            partition=record["partition"],
            timestamp=record["timestamp"],
            headers=[(name, decode(value)) for name, value in record["headers"]],
            on_delivery=delivered(index),
        )
    left = producer.flush(30)
    if left > 0:
        errors.append("FLUSH_TIMED_OUT")
    if errors:
        return {"ok": False, "error": errors[0]}
    return {"offsets": offsets, "timestamps": timestamps}


def consumer_of(command):
    return Consumer(
        {
            "bootstrap.servers": command["bootstrap"],
            "group.id": "unused",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "check.crcs": True,
            "fetch.message.max.bytes": 20_000_000,
            "fetch.max.bytes": 50_000_000,
        }
    )


def consume(command):
    consumer = consumer_of(command)
    consumer.assign([TopicPartition(command["topic"], command["partition"], command["offset"])])
    records = []
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while len(records) < command["count"] and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is None:
                continue
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    continue
                return {"ok": False, "error": message.error().name()}
            headers = message.headers() or []
            records.append(
                {
                    "offset": message.offset(),
                    "timestamp": message.timestamp()[1],
                    "key": encode(message.key()),
                    "value": encode(message.value()),
                    "headers": [[name, encode(value)] for name, value in headers],
                }
            )
    finally:
        consumer.close()
    return {"records": records}


def offsets(command):
    consumer = consumer_of(command)
    partition = (command["topic"], command["partition"])
    try:
        low, high = consumer.get_watermark_offsets(
            TopicPartition(*partition), timeout=WAIT_SECONDS
        )
        wanted = [TopicPartition(*partition, command["timestamp"])]
        at = consumer.offsets_for_times(wanted, timeout=WAIT_SECONDS)
    finally:
        consumer.close()
    return {"earliest": low, "latest": high, "atTimestamp": at[0].offset}


def admin_of(command):
    """What it has begun dies with it, so callers keep it in a variable."""
    return AdminClient({"bootstrap.servers": command["bootstrap"]})


def create(command):
    topic = NewTopic(command["topic"], command["partitions"], 1, config=command["configs"])
    client = admin_of(command)
    client.create_topics([topic])[command["topic"]].result(WAIT_SECONDS)
    return {}


def describe(command):
    client = admin_of(command)
    topic = command["topic"]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    configs = client.describe_configs([resource])[resource].result(WAIT_SECONDS)
    cluster = client.describe_cluster().result(WAIT_SECONDS)
    every = client.list_topics(timeout=WAIT_SECONDS).topics
    return {
        "partitions": len(client.list_topics(topic, timeout=WAIT_SECONDS).topics[topic].partitions),
        "configs": {name: configs[name].value for name in command["configs"]},
        "brokers": len(cluster.nodes),
        "listed": topic in every,
    }


def alter(command):
    changes = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in command["configs"].items()
    ]
    resource = ConfigResource(
        ConfigResource.Type.TOPIC, command["topic"], incremental_configs=changes
    )
    client = admin_of(command)
    client.incremental_alter_configs([resource])[resource].result(WAIT_SECONDS)
    return {}


def add_partitions(command):
    wanted = [NewPartitions(command["topic"], command["count"])]
    client = admin_of(command)
    client.create_partitions(wanted)[command["topic"]].result(WAIT_SECONDS)
    return {}


def delete_records(command):
    partition = TopicPartition(command["topic"], command["partition"], command["offset"])
    client = admin_of(command)
    deleted = client.delete_records([partition])[partition].result(WAIT_SECONDS)
    return {"lowWatermark": deleted.low_watermark}


def delete(command):
    client = admin_of(command)
    client.delete_topics([command["topic"]])[command["topic"]].result(WAIT_SECONDS)
    return {}


OPERATIONS = {
    "produce": produce,
    "consume": consume,
    "offsets": offsets,
    "create": create,
    "describe": describe,
    "alter": alter,
    "addPartitions": add_partitions,
    "deleteRecords": delete_records,
    "delete": delete,
}


def name_of(error):
    if isinstance(error, KafkaException) and isinstance(error.args[0], KafkaError):
        return error.args[0].name()
    return repr(error)


def main():
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"ok": True, **OPERATIONS[command["op"]](command)}
        except Exception as error:  # Whatever it is, the test names it.
            answer = {"ok": False, "error": name_of(error)}
        print(json.dumps(answer), flush=True)


main()
