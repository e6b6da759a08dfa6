"""A stand-in for kcat where there is none: what our documents use of it, on the same library, librdkafka.

What `-X` and `-H` do, and in which partition a key lands, is librdkafka's doing; so a command that is wrong
in one of them fails here, too. Options as `kcat -h` has them (version 1.7).
"""

import argparse
import json
import sys
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition

_SILENCE_SECONDS = 30.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kcat", add_help=False)
    for mode in ("-P", "-C", "-L"):
        parser.add_argument(mode, dest="mode", action="store_const", const=mode[1], required=False)
    for switch in ("-q", "-e", "-J", "-u"):
        parser.add_argument(switch, action="store_true")
    for option in ("-b", "-t"):
        parser.add_argument(option, required=True)
    parser.add_argument("-k")
    parser.add_argument("-p", type=int)
    parser.add_argument("-o", default="beginning")
    parser.add_argument("-f")
    parser.add_argument("-X", action="append", default=[])
    parser.add_argument("-H", action="append", default=[])
    return parser.parse_args()


def _settings(asked: argparse.Namespace) -> dict[str, Any]:
    return {"bootstrap.servers": asked.b, **dict(option.split("=", 1) for option in asked.X)}


def _produce(asked: argparse.Namespace) -> int:
    producer = Producer(_settings(asked))
    headers = [tuple(header.split("=", 1)) for header in asked.H]
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    for line in sys.stdin.buffer.read().splitlines():
        producer.produce(asked.t, value=line, key=asked.k, headers=headers, on_delivery=delivered)
    left = producer.flush(_SILENCE_SECONDS)
    return 1 if failed or left else 0


def _places(asked: argparse.Namespace, consumer: Consumer) -> list[TopicPartition]:
    numbers = consumer.list_topics(asked.t, timeout=_SILENCE_SECONDS).topics[asked.t].partitions
    wanted = sorted(numbers) if asked.p is None else [asked.p]
    start = OFFSET_BEGINNING if asked.o == "beginning" else int(asked.o)
    return [TopicPartition(asked.t, number, start) for number in wanted]


def _consume(asked: argparse.Namespace) -> int:
    fixed = {"group.id": "kcat", "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer({**_settings(asked), **fixed})
    places = _places(asked, consumer)
    consumer.assign(places)
    ended: set[int] = set()
    while not (asked.e and len(ended) == len(places)):
        message = consumer.poll(_SILENCE_SECONDS)
        if message is None:
            continue
        error = message.error()
        if error is None:
            sys.stdout.write(_shown(asked, message))
            sys.stdout.flush()
        elif error.code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition() or 0)
        else:
            sys.exit(f"% ERROR: {error.str()}")
    consumer.close()
    return 0


def _shown(asked: argparse.Namespace, message: Message) -> str:
    key, value = message.key(), message.value()
    if asked.J:
        told = {"topic": message.topic(), "partition": message.partition(), "offset": message.offset()}
        texts = {"key": key and key.decode(), "payload": value if value is None else value.decode()}
        return json.dumps(told | texts) + "\n"
    if asked.f is None:
        return (value or b"").decode() + "\n"
    headers = [f"{name}={(content or b'').decode()}" for name, content in message.headers() or ()]
    shown: dict[str, object] = {
        "%o": message.offset(),
        "%k": (key or b"").decode(),
        "%s": (value or b"").decode(),
        "%h": ",".join(headers),
        "\\n": "\n",
    }
    text, rest = "", str(asked.f)
    while rest:
        taken = 2 if rest[:2] in shown else 1
        text += str(shown.get(rest[:2], rest[0])) if taken == 2 else rest[0]
        rest = rest[taken:]
    return text


def _list(asked: argparse.Namespace) -> int:
    consumer = Consumer({**_settings(asked), "group.id": "kcat"})
    topics = consumer.list_topics(asked.t, timeout=_SILENCE_SECONDS).topics
    listed = [
        {"topic": name, "partitions": [{"partition": number} for number in sorted(topic.partitions)]}
        for name, topic in topics.items()
    ]
    print(json.dumps({"topics": listed}))
    consumer.close()
    return 0


def main() -> int:
    """Do what the options say."""
    asked = _arguments()
    return {"P": _produce, "C": _consume, "L": _list}[asked.mode](asked)


if __name__ == "__main__":
    sys.exit(main())
