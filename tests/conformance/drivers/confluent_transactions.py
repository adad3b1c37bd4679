"""Runs transactions with librdkafka: argv[1] is JSON with bootstrap, topic, group and count."""

import json
import sys

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

options = json.loads(sys.argv[1])
SECONDS = 30
common = {"bootstrap.servers": options["bootstrap"]}


def producer():
    made = Producer({**common, "transactional.id": options["group"]})
    made.init_transactions(SECONDS)
    return made


consumer = Consumer({**common, "group.id": options["group"]})
one = producer()
for index in range(options["count"]):
    fate = "aborted" if index % 3 == 2 else "committed"
    one.begin_transaction()
    for partition in (0, 1):
        one.produce(options["topic"], f"{fate}-{index}-{partition}", partition=partition)
    offsets = [TopicPartition(options["topic"], 0, index)]
    one.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), SECONDS)
    if fate == "aborted":
        one.abort_transaction(SECONDS)
    else:
        one.commit_transaction(SECONDS)

one.begin_transaction()
one.produce(options["topic"], "aborted-fenced", partition=0)
one.flush(SECONDS)
two = producer()
try:
    one.commit_transaction(SECONDS)
    fenced = False
except KafkaException as error:
    fenced = error.args[0].fatal()
two.begin_transaction()
two.produce(options["topic"], "committed-last", partition=0)
two.commit_transaction(SECONDS)
stored = consumer.committed([TopicPartition(options["topic"], 0)], SECONDS)[0].offset
print(json.dumps({"fenced": fenced, "offset": stored}))
