"""The table of events and what the services make of it: nobody publishes, reads or forgets what the table does not say."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.data.events import SAMPLES
from tests.data.services import close, runtime_in
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.events import EVENTS
from tsunagi_shared.contracts.streams import SERVICES, STREAMS, stream_of

SERVICES_FOLDER = Path(__file__).parents[2] / "services"
NAMES = {value: name for name, value in vars(events).items() if isinstance(value, str) and value in EVENTS}


def _sources(service: str) -> str:
    files = sorted((SERVICES_FOLDER / service / f"tsunagi_{service}").rglob("*.py"))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_every_event_has_a_sample() -> None:
    """Nobody adds an event without a sample of it."""
    assert set(SAMPLES) == set(EVENTS)
    for event_type, sample in SAMPLES.items():
        assert type(sample) is EVENTS[event_type].data


@pytest.mark.parametrize("event_type", EVENTS)
def test_data_survives_the_wire(event_type: str) -> None:
    """What was encoded is decoded the same."""
    sample = SAMPLES[event_type]
    assert msgspec.json.decode(msgspec.json.encode(sample), type=type(sample)) == sample


@pytest.mark.parametrize("event_type", EVENTS)
def test_unknown_fields_are_ignored_at_every_depth(event_type: str) -> None:
    """A newer publisher may add fields anywhere; an older reader reads on."""
    sample = SAMPLES[event_type]
    wire = msgspec.json.decode(msgspec.json.encode(sample))
    assert msgspec.json.decode(msgspec.json.encode(_widened(wire)), type=type(sample)) == sample


def _widened(value: object, key: str = "") -> object:
    if isinstance(value, dict):
        inside = {name: _widened(part, name) for name, part in value.items()}
        # free keys: every further one would be content
        is_mapping = key in ("local", "local_labels", "person_names", "other_ids", "agency_names", "cleared")
        return inside if is_mapping else {**inside, "added_later": {"deep": [1]}}
    if isinstance(value, list):
        return [_widened(part) for part in value]
    return value


@pytest.mark.parametrize("row", EVENTS.values(), ids=lambda row: row.type)
def test_type_and_rights_agree_with_the_streams(row: events.EventType) -> None:
    """The type reads <service>.<noun>.<past verb>.v<n>; its stream's owner publishes it and only the stream's readers read it."""
    service, noun, verb, version = row.type.split(".")
    assert service in SERVICES
    assert row.publisher == stream_of(row.type).owner == service
    assert noun.isidentifier()
    assert verb.isidentifier()
    assert version[0] == "v"
    assert int(version[1:]) >= 1
    assert row.readers
    assert set(row.readers) <= set(stream_of(row.type).readers)


@pytest.mark.parametrize("row", EVENTS.values(), ids=lambda row: row.type)
def test_the_publisher_publishes_it(row: events.EventType) -> None:
    """The service that owns the stream names the event's constant beside its outbox; no other service does so."""
    source = _sources(row.publisher)
    assert NAMES[row.type] in source
    assert "outbox.add(" in source


@pytest.mark.parametrize("service", SERVICES)
async def test_each_reader_handles_what_the_table_says(service: str, tmp_path: Path) -> None:
    """A service's handlers are exactly the events that name it as a reader."""
    runtime = runtime_in(tmp_path, service)
    try:
        assert set(runtime.parts.handlers) == {row.type for row in EVENTS.values() if service in row.readers}
    finally:
        await close(runtime)


def test_no_resident_reaches_notify() -> None:
    """Events that notify may read hold no form, no person and no free text of a form."""
    for row in EVENTS.values():
        if "notify" not in row.readers:
            continue
        wire = msgspec.json.encode(SAMPLES[row.type]).decode()
        for word in ("見本　太郎", "みほん", "見本県", "042-000-0001", "介護の負担"):
            assert word not in wire
        assert not {"person", "persons", "household", "consent"} & set(row.data.__struct_fields__)


def test_streams_carry_every_event() -> None:
    """No stream without events, no event without a stream."""
    assert {row.stream for row in EVENTS.values()} == {stream.name for stream in STREAMS}
