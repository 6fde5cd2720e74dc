"""The envelope on the wire: CloudEvents 1.0 in structured JSON, readable by builds of other ages."""

from __future__ import annotations

import uuid

import msgspec
import pytest

from tests.data.events import SAMPLES, envelope_of, payload_of
from tsunagi_shared.contracts.envelope import decode, encode, source_of, uuid7
from tsunagi_shared.contracts.events import DELIVERY_SENT, EVENTS


@pytest.mark.parametrize("event_type", SAMPLES)
def test_survives_the_wire(event_type: str) -> None:
    """What was encoded is decoded the same: every attribute, and the data."""
    sent = envelope_of(event_type, revision=7, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    got = decode(encode(sent))
    assert msgspec.json.decode(got.data, type=EVENTS[event_type].data) == SAMPLES[event_type]
    for name in set(sent.__struct_fields__) - {"data"}:
        assert getattr(got, name) == getattr(sent, name)


@pytest.mark.parametrize("event_type", SAMPLES)
def test_required_attributes_stand_on_the_wire(event_type: str) -> None:
    """CloudEvents asks for specversion, id, source and type, also where they are the default of the Struct."""
    wire = msgspec.json.decode(payload_of(event_type))
    assert wire["specversion"] == "1.0"
    assert wire["type"] == event_type
    assert wire["source"].startswith("/132187/")
    assert uuid.UUID(wire["id"]).version == 7
    assert wire["time"].endswith("Z")
    assert wire["aggregate"].count("/") == 1
    assert wire["revision"] == 1


def test_names_of_attributes_follow_cloudevents() -> None:
    """Attribute names are lower-case letters and digits, at most twenty, as CloudEvents wants."""
    for name in envelope_of(DELIVERY_SENT).__struct_fields__:
        assert name.isascii()
        assert name.isalnum()
        assert name.islower()
        assert len(name) <= 20


def test_unknown_attributes_are_ignored() -> None:
    """An event of a newer build with further attributes is still read."""
    wire = msgspec.json.decode(payload_of(DELIVERY_SENT))
    assert decode(msgspec.json.encode({**wire, "sequence": "9", "future": {"a": 1}})).type == DELIVERY_SENT


@pytest.mark.parametrize(
    "change", [{"specversion": "2.0"}, {"revision": "one"}, {"time": "yesterday"}, {"id": 5}, {"type": None}]
)
def test_a_broken_envelope_is_refused(change: dict[str, object]) -> None:
    """What is no CloudEvents 1.0 event of this suite raises, and is not half understood."""
    wire = msgspec.json.decode(payload_of(DELIVERY_SENT))
    with pytest.raises(msgspec.ValidationError):
        decode(msgspec.json.encode({**wire, **change}))


@pytest.mark.parametrize("missing", ["id", "source", "type", "time", "aggregate", "revision", "data"])
def test_a_missing_attribute_is_refused(missing: str) -> None:
    """Every attribute that consumers rest on must be there."""
    wire = msgspec.json.decode(payload_of(DELIVERY_SENT))
    del wire[missing]
    with pytest.raises(msgspec.ValidationError):
        decode(msgspec.json.encode(wire))


def test_ids_sort_as_made() -> None:
    """UUIDv7 with the moment in front; never backwards, even when the clock stands still or goes back."""
    moments = [1_790_000_000_000_000 + step for step in (0, 0, 0, 1, 500, 1000, 999_999, 0)]
    ids = [uuid7(moment) for moment in moments]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {uuid.UUID(value).version for value in ids} == {7}
    assert {uuid.UUID(value).variant for value in ids} == {uuid.RFC_4122}


def test_source_names_deployment_and_service() -> None:
    """The source tells two cities and two services apart."""
    assert source_of("132187", "intake") == "/132187/intake"
