"""The table of streams: who owns, who reads; notify never sees intake's."""

from __future__ import annotations

import pytest

from tsunagi_shared.contracts.streams import SERVICES, STREAMS, stream_of, streams_read_by


def test_each_service_owns_one_stream() -> None:
    """Every service publishes under its own name and nowhere else."""
    assert {stream.owner for stream in STREAMS} == set(SERVICES)
    assert len(STREAMS) == len(SERVICES)
    assert [stream.subjects for stream in STREAMS] == [f"{stream.owner}.>" for stream in STREAMS]


def test_notify_has_no_right_on_the_stream_of_intake() -> None:
    """Events of intake carry residents' data; notify must not be able to read them."""
    assert "INTAKE" not in {stream.name for stream in streams_read_by("notify")}
    assert stream_of("intake.referral.submitted.v1").readers == ("documents",)


def test_nobody_reads_itself_and_readers_are_services() -> None:
    """A reader is another service of the suite."""
    for stream in STREAMS:
        assert stream.owner not in stream.readers
        assert set(stream.readers) <= set(SERVICES)


def test_streams_are_kept_long_enough_for_an_outage() -> None:
    """14 days for intake, whose events hold residents' data; 30 for the others."""
    assert {stream.name: stream.kept_days for stream in STREAMS} == {"INTAKE": 14, "DOCUMENTS": 30, "NOTIFY": 30}


@pytest.mark.parametrize("event_type", ["", "hub.API.x", "intakes.referral.submitted.v1", "$JS.API.STREAM.CREATE.X"])
def test_what_no_stream_carries_is_an_error(event_type: str) -> None:
    """A type of no service has no stream."""
    with pytest.raises(LookupError):
        stream_of(event_type)
