"""The clock of a trial: every service that follows the file sees the same later time, and it never goes back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.moved_clock import MovedClock
from deploy.local.stack import PROFILES, Stack, UnknownProfileError
from tsunagi_shared import clock


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[MovedClock]:
    """A clock that was not moved yet; this process follows nothing afterwards."""
    yield MovedClock(tmp_path / "clock")
    clock.follow(None)


async def test_those_who_follow_see_the_moment(moved: MovedClock) -> None:
    """A moment in Japan, kept in the file for the next start; what follows the file is there when the move returns."""
    assert moved.seconds == 0
    clock.follow(moved.path)
    assert abs(clock.now() - moved.now()) < dt.timedelta(seconds=5)
    day = moved.today() + dt.timedelta(days=200)
    await moved.to(day, dt.time(0, 5))
    assert clock.today() == day
    clock.follow(None)
    again = MovedClock(moved.path)
    assert again.today() == day
    assert (again.now().hour, again.now().utcoffset()) == (0, dt.timedelta(hours=9))


async def test_it_only_goes_forward(moved: MovedClock) -> None:
    """A step back is refused and changes nothing."""
    await moved.forward(dt.timedelta(days=3))
    with pytest.raises(ValueError, match="forward"):
        await moved.to(moved.today() - dt.timedelta(days=1))
    assert moved.seconds == 3 * 86_400


async def test_it_may_begin_earlier_while_nothing_is_there(moved: MovedClock) -> None:
    """On any day, once; then it goes forward from there."""
    day = moved.today() - dt.timedelta(days=400)
    moved.begin(day)
    assert moved.today() == day
    with pytest.raises(ValueError, match="once"):
        moved.begin(day)
    await moved.forward(dt.timedelta(days=1))
    assert moved.today() == day + dt.timedelta(days=1)


def test_a_stack_takes_any_profile_that_is_here(tmp_path: Path) -> None:
    """By its name; another name is answered with those there are, and reaches no other folder."""
    assert Stack(tmp_path / "stack", profile="standard").profile == PROFILES / "standard"
    for name in ("nowhere", "../profiles/fussa", ""):
        with pytest.raises(UnknownProfileError, match="ashiya、fussa、kamishihoro、kurume、standard"):
            Stack(tmp_path / "stack", profile=name)
