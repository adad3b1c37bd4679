"""A member of a consumer group on librdkafka. Events go to stdout in the form of Apache's
VerifiableConsumer, a JSON object a line; SIGTERM leaves the group."""

import json
import signal
import sys

from confluent_kafka import Consumer, KafkaError, KafkaException

options = json.loads(sys.argv[1])
stopping = False


def stop(*_):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)


def emit(name, **fields):
    print(json.dumps({"name": name, **fields}), flush=True)


def plain(partitions):
    return [{"topic": p.topic, "partition": p.partition} for p in partitions]


settings = {
    "bootstrap.servers": options["bootstrap"],
    "group.id": options["group"],
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "group.protocol": options["protocol"],
}
if options["protocol"] == "classic":
    settings["session.timeout.ms"] = options["sessionTimeoutMs"]
    settings["heartbeat.interval.ms"] = 500
    settings["partition.assignment.strategy"] = options["assignor"]
if options["instance"] is not None:
    settings["group.instance.id"] = options["instance"]
consumer = Consumer(settings)
consumer.subscribe(
    [options["topic"]],
    on_assign=lambda _, partitions: emit("partitions_assigned", partitions=plain(partitions)),
    on_revoke=lambda _, partitions: emit("partitions_revoked", partitions=plain(partitions)),
    on_lost=lambda _, partitions: emit("partitions_revoked", partitions=plain(partitions)),
)
emit("startup_complete")


def read():
    """Takes what is there, says so, and commits it."""
    found = {}
    for message in consumer.consume(num_messages=200, timeout=0.2):
        if message.error() is not None:
            emit("error", error=message.error().name())
            continue
        place = found.setdefault((message.topic(), message.partition()), [message.offset(), 0])
        place[1] = message.offset()
    if not found:
        return
    emit(
        "records_consumed",
        partitions=[
            {"topic": topic, "partition": partition, "minOffset": low, "maxOffset": high}
            for (topic, partition), (low, high) in found.items()
        ],
    )
    try:
        committed = consumer.commit(asynchronous=False)
    except KafkaException as error:
        emit("offsets_committed", success=False, offsets=[], error=error.args[0].name())
        return
    offsets = [
        {"topic": p.topic, "partition": p.partition, "offset": p.offset}
        for p in committed
        if p.error is None and p.offset >= 0
    ]
    emit("offsets_committed", success=True, offsets=offsets)


while not stopping:
    read()
try:
    consumer.close()
except KafkaException as error:
    if error.args[0].code() != KafkaError._STATE:
        raise
emit("shutdown_complete")
