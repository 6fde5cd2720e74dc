"""Random walks of valid and invalid actions through intake, with documents beside it: nobody ever sees more than the rules say.

Every walk is told by its profile and seed. One documents service hears the events in order; another one late, shuffled and
doubled. `replay` walks one of them again, if need be looking after each step.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.conftest import MovableClock
from tests.data.services import PROFILE
from tests.journeys.case_actions import CaseWalk
from tests.journeys.case_documents import DocumentsSide, Event
from tests.journeys.case_forms import ADDRESS, PHONE, Places
from tests.journeys.case_gates import Staff, reaches, sight_of
from tests.journeys.case_intake import IntakeSide, moment, principal_of, run
from tests.journeys.case_model import World, may_become
from tests.journeys.case_walk import Try
from tsunagi_intake import case_pages, record_reading
from tsunagi_shared import clock, database
from tsunagi_shared.problems import Refusal

STEPS = 400
LOOK_EVERY = 80  # steps between two looks at all that people read
TIME_PASSES = 0.03

STAFF = {
    "fussa": (
        ("mado", "disability", "clerk"), ("kodomo", "childcare", "promoter"), ("tsunagu", "welfare-desk", "coordinator"),
        ("uketsuke", "welfare-desk", "clerk"), ("kacho", "social-welfare", "responsible_section chair"),
        ("kansa", "social-welfare", "auditor"), ("kanri", "social-welfare", "administrator"),
        ("kaigo", "sample-care", "agency_staff"), ("jiritsu", "hardship-support", "agency_staff"),
        ("shakyo", "welfare-council", "clerk agency_staff"), ("hoiku", "sample-nursery", "agency_staff"),
    ),
    "standard": (
        ("mado", "elderly-center", "clerk"), ("kacho", "welfare-section", "responsible_section chair"),
        ("tsunagu", "multi-agency-center", "coordinator"), ("uketsuke", "multi-agency-center", "clerk"),
        ("kansa", "welfare-section", "auditor"), ("jiritsu", "hardship-center", "clerk"), ("gakko", "school", "agency_staff"),
        ("sanka", "participation-center", "clerk agency_staff"), ("tsugi", "participation-center", "clerk agency_staff"),
        ("homon", "outreach-team", "clerk agency_staff"),
    ),
}  # fmt: skip
LATER = {"tsugi"}  # taken on by the contractor of the next 年度
STARTS = {"fussa": dt.date(2026, 12, 1), "standard": dt.date(2027, 3, 27)}
NEXT_YEAR = dt.date(2027, 4, 1)


def staff_of(side: Any, name: str) -> list[Staff]:
    """The people of a municipality."""
    found = []
    for user, agency, roles in STAFF[name]:
        contractor = side.contractor_on(agency, NEXT_YEAR if user in LATER else STARTS[name])
        found.append(Staff(user=user, agency=agency, roles=frozenset(roles.split()), contractor=contractor))
    return found


def places_of(profile: Any, staff: list[Staff]) -> Places:
    """What the forms of a municipality name."""
    agencies = tuple(dict.fromkeys(one.agency for one in staff))
    lists = tuple(sorted({row.id for row in profile.agency_lists}))
    return Places(agencies, lists, "provision-by-municipality", "support-meeting")


class Sides:
    """Intake, the documents service that hears in order, and the one that hears late."""

    def __init__(self, folder: Path, name: str, moved: MovableClock) -> None:
        self.name, self.clock = name, moved
        self.intake = IntakeSide(folder / name, PROFILE.parent / name)
        self.prompt = DocumentsSide(folder, f"{name}-prompt", self.intake.profile)
        self.late = DocumentsSide(folder, f"{name}-late", self.intake.profile)
        self.staff = staff_of(self.intake.profile, name)

    def close(self) -> None:
        """Let go of the files."""
        self.prompt.close()
        self.late.close()
        self.intake.close()


class RandomCases:
    """One walk."""

    def __init__(self, sides: Sides, seed: int, look_every: int) -> None:
        self.sides, self.seed, self.look_every = sides, seed, look_every
        self.dice = random.Random(f"{sides.name}/{seed}")
        self.order = random.Random(seed)  # of what arrives late, and of whom is looked at: the walk is the same without
        self.world = World(sides.intake.profile, STARTS[sides.name])
        self.walk = CaseWalk(self.world, self.dice, sides.staff, places_of(sides.intake.profile, sides.staff))
        self.waiting: list[Event] = []  # what the late service has not heard yet
        self.heard: list[Event] = []
        self.counts: dict[str, int] = {}
        self.log: list[str] = []

    async def go(self, steps: int) -> None:
        """The whole walk; every failure tells how to walk it again."""
        self.sides.clock.to(moment(self.world.day))
        await self.sides.intake.clear()
        await self.sides.intake.carry_out_ends()
        self.sides.prompt.begin()
        self.sides.late.begin()
        try:
            for number in range(1, steps + 1):
                try:
                    await self.step()
                    if number % self.look_every == 0 or number == steps:
                        await self.look(final=number == steps)
                except AssertionError as error:
                    last = "\n".join(self.log[-40:])
                    raise AssertionError(
                        f"{self.sides.name}, seed {self.seed}, step {number}: {error}\n{last}"
                    ) from error
        finally:
            self.sides.prompt.end()
            self.sides.late.end()

    async def step(self) -> None:
        """Somebody tries something, or days pass."""
        if self.dice.random() < TIME_PASSES:
            await self.pass_days()
        else:
            await self.try_one(self.walk.draw())
        self.hear(self.sides.intake.new_events())

    async def try_one(self, tried: Try) -> None:
        """What comes of it is what had to come; a refusal leaves no trace, an acceptance just what the model says."""
        intake = self.sides.intake
        before = intake.changes()
        outcome, answer, identity = await intake.attempt(tried)
        self.log.append(f"{tried.told()} → {outcome or 'accepted'} {identity}")
        assert tried.expects(outcome), (tried.action, tried.staff.user, tried.must, tried.late, outcome)
        self.counts[outcome or "accepted"] = self.counts.get(outcome or "accepted", 0) + 1
        if outcome:
            assert intake.changes() == before, "a refusal changed something"
            return
        tried.done(answer, identity)
        self.check_cases(tried)
        case = tried.case or next((one for one in self.world.cases if one.number == answer["case_number"]), None)
        if case is not None:
            for one in self.world.group(case):
                intake.agrees(self.world, one)

    def check_cases(self, tried: Try | None) -> None:
        """Every case is in a state it may be in, of the revision it has to be of."""
        states = self.sides.intake.states()
        assert states.keys() == {case.number for case in self.world.cases}
        for case in self.world.cases:
            state, revision, joined_into = states[case.number]
            assert joined_into == (case.joined_into.number if case.joined_into else None), case.number
            assert revision == case.revision, (case.number, revision, case.revision)
            falls, closes = (tried.falls_back, tried.closes) if tried else (False, False)
            assert may_become(case.state, state, taken_back=falls, closing=closes), (case.number, case.state, state)
            case.state = state

    async def pass_days(self) -> None:
        """The calendar alone closes what ends; when the clockwork has looked, all is as the model says."""
        self.walk.pass_days(self.dice.choice((1, 1, 2, 3)))
        self.sides.clock.to(moment(self.world.day))
        self.log.append(f"it is {self.world.day}")
        for case in self.world.cases:
            self.sides.intake.agrees(self.world, case, exactly=False)
        await self.sides.intake.carry_out_ends()
        self.world.carry_out_ends()
        for case in self.world.cases:
            self.sides.intake.agrees(self.world, case)
        self.check_cases(None)

    def hear(self, events: list[Event]) -> None:
        """In order on one side; on the other a part of what waits, in any order, now and then twice."""
        if not events:
            return
        self.sides.prompt.hear(events)
        self.sides.prompt.draw()
        self.waiting += events
        if self.order.random() < 0.3:
            self.order.shuffle(self.waiting)
            some = self.order.randint(0, len(self.waiting))
            now, self.waiting = self.waiting[:some], self.waiting[some:]
            self.sides.late.hear(now + self.order.sample(now, len(now) // 3))
            self.heard += now
            if self.order.random() < 0.5:
                self.sides.late.draw()

    async def look(self, *, final: bool) -> None:
        """At all that people can read, in both services."""
        await self.sides.intake.pass_watermark()
        self.hear(self.sides.intake.new_events())
        self.sides.prompt.check(self.world, self.sides.staff, self.order)
        await self.look_at_pages()
        if final or self.order.random() < 0.25:
            self.order.shuffle(self.waiting)
            self.sides.late.hear(self.waiting + self.order.sample(self.heard, len(self.heard) // 4))
            self.sides.late.draw()
            self.heard, self.waiting = self.heard + self.waiting, []
            for prompt, late in zip(self.sides.prompt.known(), self.sides.late.known(), strict=True):
                assert prompt == late, f"only in order: {set(prompt) - set(late)}; only late: {set(late) - set(prompt)}"
            self.sides.late.check(self.world, self.sides.staff, self.order)

    async def look_at_pages(self) -> None:
        """A few people ask for a few cases and records."""
        for staff in self.order.sample(self.sides.staff, 3):
            for case in self.order.sample(self.world.cases, min(2, len(self.world.cases))):
                await self.look_at_case(staff, case)
                records = [
                    form for form in case.forms if form.kind in ("assessment", "contact", "evaluation", "consent")
                ]
                for form in self.order.sample(records, min(2, len(records))):
                    await self.look_at_record(staff, form)

    async def asked(self, function: Any) -> Any:
        """The answer; None for what is not there, or not for this person."""
        try:
            return await self.sides.intake.runtime.database.read(function)
        except Refusal as refusal:
            if refusal.problem.code != "not-found":
                raise
            return None

    async def look_at_case(self, staff: Staff, case: Any) -> None:
        """The page opens to whoever sees a form of the case, and names nobody who is hidden from them."""
        profile, principal = self.sides.intake.profile, principal_of(staff)
        page = await self.asked(lambda c: case_pages.case_page(c, principal, profile, case.number))
        if page is None or not self.acts(staff):
            assert not self.acts(staff) or not reaches(self.world, staff, case), (staff.user, case.number)
            return
        assert reaches(self.world, staff, case), (staff.user, case.number)
        sight = sight_of(self.world, staff, case)
        assert page.view == "full" if sight and sight.full else page.view != "full", (
            staff.user,
            case.number,
            page.view,
        )
        self.look_at_sections(staff, case, page)
        shown = set()
        for form in self.world.forms_seen_with(case):
            sight = self.world.readers(form).get(staff.agency)
            if sight is not None and form.case is not None:
                shown |= {form.case.id_of(person) for person in self.world.shown(form)} - min(sight.hidden, key=len)
        assert {person.id for person in page.people} <= shown, (staff.user, case.number)

    def look_at_sections(self, staff: Staff, case: Any, page: Any) -> None:
        """Parts, grounds and protections are told of just those cases of the group of which the reader sees all."""
        group = [one for one in self.world.group(case) if one is case or one.joined_into is case]
        whole = [one for one in group if (sight := sight_of(self.world, staff, one)) is not None and sight.full]
        for name in ("allocations", "grounds", "protections"):
            told = {line.id for line in getattr(page, name)}
            assert told == {line.id for one in whole for line in getattr(one, name)}, (staff.user, case.number, name)

    def acts(self, staff: Staff) -> bool:
        """Whether the door of the service lets them in at all."""
        return self.world.runner(staff.agency, self.world.day) == staff.contractor

    async def look_at_record(self, staff: Staff, form: Any) -> None:
        """A record opens to its readers, and holds nothing that is withheld from them."""
        profile, principal = self.sides.intake.profile, principal_of(staff)
        if not self.acts(staff):
            return
        page = await self.asked(lambda c: record_reading.page_of(c, principal, profile, form.kind, form.id))
        sight = sight_of(self.world, staff, None, form)
        assert (page is not None) == (sight is not None), (staff.user, form.name)
        if page is None or sight is None or page.form is None:
            return
        assert sight.full
        text = msgspec.json.encode(page.form).decode()
        for field, literal in (("address", ADDRESS), ("phone", PHONE)):
            kept = {token for token in sight.withheld if token.endswith(f":{field}")}
            subjects = {form.case.id_of(one.people[0]) for one in form.case.referrals}
            assert not (kept & {f"{person}:{field}" for person in subjects} and literal in text), (
                staff.user,
                form.name,
            )


@contextmanager
def sides_of(name: str, folder: Path) -> Iterator[Sides]:
    """The services of one municipality, for all of its walks. That a commit reaches the disk is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "PRAGMAS", (*database.PRAGMAS, "synchronous = OFF"))
        found = Sides(folder, name, MovableClock(folder / "clock"))
        try:
            run(found.intake.open())
            yield found
        finally:
            found.close()
            clock.follow(None)


def walk_all(name: str, folder: Path, walks: int) -> int:
    """So many walks, each from its own seed; returns how many steps were accepted, which must be enough to lead anywhere."""
    accepted = 0
    with sides_of(name, folder) as sides:
        for seed in range(walks):
            counts = replay(sides, seed)
            assert counts.get("accepted", 0) > STEPS // 5, counts
            accepted += counts["accepted"]
    return accepted


def replay(sides: Sides, seed: int, steps: int = STEPS, look_every: int = LOOK_EVERY) -> dict[str, int]:
    """Walk one walk; how often each outcome came."""
    walk = RandomCases(sides, seed, look_every)
    run(walk.go(steps))
    return walk.counts
