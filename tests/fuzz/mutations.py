"""What a channel may do wrong, one thing at a time: each mutation spoils a draft, or only makes it odd."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from schemas.events import EVENT_TYPES
from schemas.instants import format_instant
from schemas.terms import personal_fields
from tests.fuzz.drafts import Draft
from tests.fuzz.marks import IDENTITY, PERSON
from tests.fuzz.values import NASTY, Scene

Mutation = Callable[[Draft, Scene], None]

_LIMIT = 256 * 1024
_TIMES = (
    "", "now", "2026-03-02", "2026-03-02T08:15:30", "2026-02-30T08:15:30Z", "2026-03-02 08:15:30Z",
    "2026-03-02T08:15:30+24:00", "1969-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
    "2026-06-30T23:59:60Z", "2026-03-02T24:00:00Z", "1970-01-01T00:00:00Z", "2099-12-31T23:59:59Z", PERSON,
)  # fmt: skip
_SUBJECTS = (
    "",
    " ",
    f"{PERSON}@x.example",
    f"+7{PERSON}",
    "x" * 65,
    "a\nb",
    "а",
    f"{PERSON}\u202e",
    "../..",
    "é",
)
_KINDS = (
    "ticket.created.v2",
    "ticket.created",
    "Ticket.Created.v1",
    "ticket.journal.v1",
    PERSON,
    "",
    "x\n",
    "x" * 257,
)
_CONTENT_TYPES = (
    None, b"", b"application/json", b"APPLICATION/CLOUDEVENTS+JSON; charset=utf-8", b"text/plain",
    b"application/cloudevents-batch+json", b"application/cloudevents+avro", b"\xff\xfe", PERSON.encode(),
)  # fmt: skip
_PIECES = (
    b'"', b"{", b"}", b"[", b",", b":", b"\\", b"\\u", b"\\ud800", b"null", b"NaN", b"-Infinity", b"9" * 65,
    b"1e999", b"\xff", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf", b"/**/", b"true",
)  # fmt: skip
_FIELDS = (
    f'"{PERSON}": "{PERSON}"', f'"id": "{IDENTITY}"', r'"\u0069d": "x"', '"data": {}', '"x": 1e999',
    '"x": NaN',    '"x": ' + "[" * 64 + "]" * 64, '"x": ' + '{"y":' * 63 + "1" + "}" * 63, '"x": ' + "9" * 65,
    '"x": 0.' + "1" * 65,
    '"x": ' + "9" * 5_000, r'"x": "\ud83d"', '"x": 1, "x": 2', '"": 0',
)  # fmt: skip
_STRANGERS: tuple[tuple[str, bytes | None], ...] = (
    ("traceparent", PERSON.encode()), (PERSON, b"x"), (PERSON, None), ("", b""), ("x", b"\xff\xfe\x00"),
    ("x" * 1_000, b"y" * 1_000), ("dlq.errors.code", b"tombstone"), ("dlq.errors.message", PERSON.encode()),
    ("dlq.errors.offset", b"0"), ("dlq.errors.partition", b"\xff"), ("dlq.errors.size", b"9"),
    ("content-type", b"application/json"), ("Content-Type", None), ("ce_id", IDENTITY.encode()),
    ("ce_id", None), ("ce_note", PERSON.encode()), ("ce_note", b"\xff"), (f"ce_{PERSON.upper()}", b"x"),
    ("ce_", b"x"),
    ("ce_data", PERSON.encode()), (b"\xff\xfe".decode("utf-8", "surrogateescape"), b"x"),
    (b"ce_\xff".decode("utf-8", "surrogateescape"), b"x"),
)  # fmt: skip


def wrong_kind(scene: Scene, text: str) -> Any:
    """Some JSON value, mostly not of the kind that is wanted; texts are `text`."""
    return scene.random.choice(
        (
            None,
            True,
            False,
            0,
            -1,
            79991112233,
            0.5,
            2**31,
            10**63,
            "",
            text,
            [],
            [text],
            {},
            {text: text},
            [[[{}]]],
        )
    )


def _without_attribute(draft: Draft, scene: Scene) -> None:
    draft.attributes.pop(scene.random.choice(list(draft.attributes)), None)


def _odd_attribute(draft: Draft, scene: Scene) -> None:
    name = scene.random.choice(("specversion", "id", "source", "subject", "time", "type"))
    text = IDENTITY if name in ("id", "source") else PERSON
    draft.attributes[name] = wrong_kind(scene, text)


def _odd_identity(draft: Draft, scene: Scene) -> None:
    """Long to the bound and over it, with characters that are allowed and others."""
    name, bound = scene.random.choice((("id", 256), ("source", 1_024)))
    text = f"{scene.random.choice(NASTY)}{IDENTITY}"
    draft.attributes[name] = scene.random.choice((text, text.ljust(bound, "x"), text.ljust(bound + 1, "x")))


def _odd_time(draft: Draft, scene: Scene) -> None:
    draft.attributes["time"] = scene.random.choice(_TIMES)


def _ahead(draft: Draft, scene: Scene) -> None:
    """Up to five minutes ahead of its arrival is taken; more is not."""
    draft.attributes["time"] = format_instant(
        scene.time + timedelta(seconds=scene.random.choice((299, 300, 301, 1e6)))
    )


def _odd_type(draft: Draft, scene: Scene) -> None:
    draft.attributes["type"] = scene.random.choice(_KINDS)


def _other_type(draft: Draft, scene: Scene) -> None:
    draft.attributes["type"] = scene.random.choice(list(EVENT_TYPES))


def _odd_subject(draft: Draft, scene: Scene) -> None:
    subject = scene.random.choice(_SUBJECTS)
    draft.attributes["subject"] = subject
    draft.key = subject.encode()


def _odd_specversion(draft: Draft, scene: Scene) -> None:
    draft.attributes["specversion"] = scene.random.choice(("0.3", "1.1", "2.0", "1", "1.0 ", PERSON))


def _extension(draft: Draft, scene: Scene) -> None:
    name = scene.random.choice(
        ("traceparent", "x1", "Client", PERSON.upper(), "", "a-b", "dataschema", "data_base64")
    )
    draft.attributes[name] = wrong_kind(scene, PERSON)


def _data_content_type(draft: Draft, scene: Scene) -> None:
    draft.attributes["datacontenttype"] = scene.random.choice(
        ("application/json", "text/json", "x/y+json", PERSON, 7)
    )


def _odd_data(draft: Draft, scene: Scene) -> None:
    draft.data = wrong_kind(scene, PERSON)


@cache
def _personal(kind: Any) -> frozenset[str]:
    model = EVENT_TYPES.get(kind)
    return frozenset() if model is None else personal_fields(model)


def _inside(draft: Draft, scene: Scene) -> tuple[dict[str, Any], str, str] | None:
    """Some field of data or of an object in it, and the mark of the texts that may stand there."""
    if not isinstance(draft.data, dict) or not draft.data:
        return None
    name = scene.random.choice(list(draft.data))
    inner = draft.data[name]
    path = name
    if isinstance(inner, dict) and inner and scene.random.random() < 0.7:
        holder, name = inner, scene.random.choice(list(inner))
        path = f"{path}.{name}"
    else:
        holder = draft.data
    kind = draft.attributes.get("type")
    personal = isinstance(kind, str) and any(path == p or p.startswith(f"{path}.") for p in _personal(kind))
    return holder, name, PERSON if personal else IDENTITY


def _without_field(draft: Draft, scene: Scene) -> None:
    if (found := _inside(draft, scene)) is not None:
        del found[0][found[1]]


def _odd_field(draft: Draft, scene: Scene) -> None:
    if (found := _inside(draft, scene)) is not None:
        holder, name, mark = found
        holder[name] = wrong_kind(scene, mark)


def _long_field(draft: Draft, scene: Scene) -> None:
    """Texts around every bound of the schema."""
    if (found := _inside(draft, scene)) is not None:
        holder, name, mark = found
        bound = scene.random.choice((64, 65, 256, 257, 320, 321, 2_048, 2_049))
        holder[name] = f"{scene.random.choice(NASTY)}{mark}".ljust(bound, "Щ")


def _unknown_field(draft: Draft, scene: Scene) -> None:
    holder = draft.data
    if (found := _inside(draft, scene)) is not None:
        holder = found[0]
    if isinstance(holder, dict):
        holder[scene.random.choice((PERSON, "", "ticket_id", "__class__", "Channel", "name"))] = wrong_kind(
            scene, PERSON
        )


def _odd_key(draft: Draft, scene: Scene) -> None:
    draft.key = scene.random.choice(
        (None, b"", PERSON.encode(), b"\xff\xfe", b"k" * 5_000, scene.tickets[0].encode())
    )


def _misplaced(draft: Draft, scene: Scene) -> None:
    del scene
    draft.misplaced = True


def _tombstone(draft: Draft, scene: Scene) -> None:
    del scene
    draft.edits.append(lambda _: None)


def _other_mode(draft: Draft, scene: Scene) -> None:
    draft.content_type = scene.random.choice(_CONTENT_TYPES)


def _stranger(draft: Draft, scene: Scene) -> None:
    header = scene.random.choice(_STRANGERS)
    draft.headers += [header] * scene.random.choice((1, 1, 1, 2, 50))


def _more_json(draft: Draft, scene: Scene) -> None:
    field = scene.random.choice(_FIELDS).encode()
    draft.edits.append(lambda value: value[:-1] + b", " + field + b"}")


def _cut(draft: Draft, scene: Scene) -> None:
    draft.edits.append(lambda value: value[: scene.random.randrange(len(value) + 1)])


def _bytes(draft: Draft, scene: Scene) -> None:
    """Some bytes go, others come. Too few go for two texts to run together: each keeps its mark's place."""

    def edit(value: bytes) -> bytes:
        start = scene.random.randrange(len(value) + 1)
        return value[:start] + scene.random.choice(_PIECES) + value[start + scene.random.randrange(4) :]

    draft.edits.append(edit)


def _size(draft: Draft, scene: Scene) -> None:
    size = scene.random.choice((_LIMIT, _LIMIT + 1))
    draft.edits.append(lambda value: value.ljust(size))


def _encoding(draft: Draft, scene: Scene) -> None:
    encoding = scene.random.choice(("cp1251", "utf-16", "utf-32-be", "utf-8-sig"))
    draft.edits.append(lambda value: value.decode("utf-8", "replace").encode(encoding, "replace"))


def _wrapped(draft: Draft, scene: Scene) -> None:
    del scene
    draft.edits.append(lambda value: json.dumps([value.decode("utf-8", "replace")]).encode())


WEIGHTS: Mapping[Mutation, int] = {
    _without_attribute: 4, _odd_attribute: 6, _odd_identity: 4, _odd_time: 5, _ahead: 3, _odd_type: 3,
    _other_type: 4, _odd_subject: 3, _odd_specversion: 2, _extension: 4, _data_content_type: 2, _odd_data: 3,
    _without_field: 6, _odd_field: 10, _long_field: 5, _unknown_field: 5, _odd_key: 4, _misplaced: 3,
    _tombstone: 2, _other_mode: 5, _stranger: 8, _more_json: 6, _cut: 2, _bytes: 8, _encoding: 1, _wrapped: 1,
}  # fmt: skip
"""How often each is taken."""
SIZE: Mutation = _size
"""To be taken apart, and rarely: a quarter of a mebibyte each, or memory would hold nothing else."""
