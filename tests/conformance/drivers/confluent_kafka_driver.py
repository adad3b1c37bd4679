"""Drives librdkafka through confluent-kafka: one JSON command on stdin, one JSON answer on stdout."""

import base64
import json
import sys
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic


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
            "linger.ms": 20,
            "message.timeout.ms": 20_000,
        }
    )
    offsets = [None] * len(command["records"])
    errors = []

    def delivered(index):
        def report(error, message):
            if error is not None:
                errors.append(error.name())
            else:
                offsets[index] = message.offset()

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
    return {"ok": True, "offsets": offsets}


def consume(command):
    consumer = Consumer(
        {
            "bootstrap.servers": command["bootstrap"],
            "group.id": "unused",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "check.crcs": True,
            "fetch.message.max.bytes": 10_000_000,
        }
    )
    consumer.assign([TopicPartition(command["topic"], command["partition"], command["offset"])])
    records = []
    deadline = time.monotonic() + 30
    while len(records) < command["count"] and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                continue
            return {"ok": False, "error": message.error().name()}
        records.append(
            {
                "offset": message.offset(),
                "timestamp": message.timestamp()[1],
                "key": encode(message.key()),
                "value": encode(message.value()),
                "headers": [[name, encode(value)] for name, value in (message.headers() or [])],
            }
        )
    consumer.close()
    return {"ok": True, "records": records}


def offsets(command):
    consumer = Consumer({"bootstrap.servers": command["bootstrap"], "group.id": "unused"})
    low, high = consumer.get_watermark_offsets(
        TopicPartition(command["topic"], command["partition"]), timeout=20
    )
    at = consumer.offsets_for_times(
        [TopicPartition(command["topic"], command["partition"], command["timestamp"])], timeout=20
    )
    consumer.close()
    return {"ok": True, "earliest": low, "latest": high, "atTimestamp": at[0].offset}


def admin(command):
    client = AdminClient({"bootstrap.servers": command["bootstrap"]})
    topic = command["topic"]
    created = client.create_topics([NewTopic(topic, 2, 1, config={"retention.ms": "3600000"})])
    created[topic].result(20)
    client.create_partitions([NewPartitions(topic, 3)])[topic].result(20)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    config = client.describe_configs([resource])[resource].result(20)
    listed = client.list_topics(topic, timeout=20).topics[topic]
    client.delete_topics([topic])[topic].result(20)
    return {
        "ok": True,
        "partitions": len(listed.partitions),
        "retentionMs": config["retention.ms"].value,
    }


def main():
    command = json.load(sys.stdin)
    operations = {"produce": produce, "consume": consume, "offsets": offsets, "admin": admin}
    json.dump(operations[command["op"]](command), sys.stdout)


main()
