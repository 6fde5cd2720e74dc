"""A random walk over HTTP on the embedded stack: statuses and codes are those of the rules, and nobody opens what is closed."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from deploy.local.stack import Stack
from deploy.local.visitor import Answer, Visitor
from tests.journeys.case_actions import CaseWalk
from tests.journeys.case_forms import ADDRESS, PEOPLE, PHONE
from tests.journeys.case_gates import CASE_WORK, REFERS, Staff, reaches, sight_of
from tests.journeys.case_model import Case, Form, World, may_become
from tests.journeys.case_walk import Try
from tests.journeys.random_cases import places_of, staff_of
from tests.scenarios.story import text_of
from tsunagi_shared.accounts import Post

SEED = 7
PATIENCE_SECONDS = 30.0
SECTION = "kacho"
STATUS = {"invalid-form": 422, "not-found": 404, "forbidden": 403, "contract-ended": 403}  # any other refusal: 409
PATHS = {
    "submit": "/referrals", "reply": "/referrals/{}/reply", "take_back": "/referrals/{}/withdrawal",
    "correct_referral": "/referrals/{}", "give_consent": "/cases/{}/consents", "withdraw_consent": "/consents/{}/withdrawal",
    "extend_consent": "/consents/{}/extension", "assessment": "/cases/{}/assessments", "contact": "/cases/{}/contacts",
    "evaluation": "/cases/{}/evaluations", "pledge": "/pledges", "protect": "/cases/{}/protections",
    "lift_protection": "/protections/{}/lifting", "allocate": "/cases/{}/allocations", "end_allocation": "/allocations/{}/end",
    "record_ground": "/cases/{}/grounds", "review_ground": "/grounds/{}/review",
    "end_ground": "/grounds/{}/end", "set_lead": "/cases/{}/lead",
    "close_case": "/cases/{}/closure", "join_cases": "/cases/{}/joining", "hold": "/cases/{}/hold",
}  # fmt: skip


class GuardedWalk(CaseWalk):
    """Over HTTP the doors are guarded too: a post that does not refer, or has nothing to do with cases, is turned away."""

    def draw(self) -> Try:
        """The next thing that somebody tries."""
        found = super().draw()
        wanted = REFERS if found.action == "submit" else CASE_WORK
        if not found.staff.roles & wanted:
            found.must, found.late = {"forbidden"}, set()
        return found


class HttpCases:
    """The walk, on a stack that runs."""

    def __init__(self, stack: Stack, day: dt.date) -> None:
        self.stack = stack
        profile = stack.load_profile()
        self.staff = staff_of(profile, "fussa")
        self.dice = random.Random(SEED)
        self.world = World(profile, day)
        self.walk = GuardedWalk(self.world, self.dice, self.staff, places_of(profile, self.staff))
        self.visitors: dict[str, Visitor] = {}
        self.versions: dict[str, int] = {}  # of every document that anybody ever had on a list
        self.accepted = 0
        self.log: list[str] = []

    async def sign_in(self) -> None:
        """Everybody, once; after the clock was moved again."""
        if not self.visitors:
            accounts = self.stack.accounts()
            for one in self.staff:
                post = Post(one.agency, tuple(sorted(one.roles)), one.contractor)
                password = accounts.add_user(one.user, f"見本　{one.user}", [post])
                self.visitors[one.user] = Visitor(self.stack, one.user, password)
            accounts.close()
        await asyncio.gather(*(visitor.sign_in() for visitor in self.visitors.values()))

    async def leave(self) -> None:
        """Close what the visitors hold open."""
        for visitor in self.visitors.values():
            await visitor.__aexit__()

    # steps ---------------------------------------------------------------------------------------------------------------

    async def step(self) -> None:
        """Somebody tries something; the answer is the one that had to come."""
        tried = self.walk.draw()
        answer = await self.ask(tried)
        refused = answer.status // 100 != 2
        outcome = answer.code if refused else ""
        self.log.append(f"{tried.told()} → {answer.status} {outcome}")
        assert tried.expects(outcome), (tried.must, tried.late, answer.status, answer.text[:300])
        if refused:
            assert answer.status == STATUS.get(outcome, 409), (outcome, answer.status)
            return
        self.accepted += 1
        made = answer.json()
        page = await self.section(f"/cases/{made['case_number']}") if made["case_number"] else None
        number = made.get("referral_number")
        identity = next((row["id"] for row in page["referrals"] if row["number"] == number), "") if page else ""
        tried.done(made, identity)
        if page:
            self.check_case(page, tried)

    async def ask(self, tried: Try) -> Answer:
        """The request that a person's program sends."""
        visitor = self.visitors[tried.staff.user]
        corrects = tried.action in ("correct_referral", "correct_record")
        path = f"/records/{tried.kind}/{{}}" if tried.action == "correct_record" else PATHS[tried.action]
        address = path.format(tried.target) + ("" if tried.revision is None else f"?revision={tried.revision}")
        send = visitor.put if corrects else visitor.post
        return await send("intake", address, tried.form)

    async def section(self, path: str) -> Any:
        """What the responsible section sees."""
        return (await self.visitors[SECTION].get("intake", path)).expect(200).json()

    def check_case(self, page: dict[str, Any], tried: Try) -> None:
        """It is of the revision it has to be of, in a state that it may be in."""
        case = next(one for one in self.world.cases if one.number == page["case_number"])
        assert page["revision"] == case.revision, (case.number, page["revision"], case.revision)
        may = may_become(case.state, page["state"], taken_back=tried.falls_back, closing=tried.closes)
        assert may, (case.number, case.state, page["state"])
        case.state = page["state"]

    async def pass_days(self) -> None:
        """Two days later."""
        self.walk.pass_days(2)
        await self.stack.clock.to(self.world.day)
        await self.sign_in()
        self.world.carry_out_ends()
        self.log.append(f"it is {self.world.day}")
        await self.settles(self.audiences_differ)

    # looks ---------------------------------------------------------------------------------------------------------------

    async def settles(self, differs: Callable[[], Awaitable[str]]) -> None:
        """What was answered is on its way: wait until nothing differs any more from what the model says."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while found := await differs():
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.1)

    async def look(self) -> None:
        """At all that everybody can read."""
        await self.settles(self.audiences_differ)
        await self.settles(self.documents_differ)
        for staff in self.staff:
            if staff.reads_cases:
                await self.look_at_cases(staff)
            await self.look_into_files(staff)

    async def audiences_differ(self) -> str:
        """Where the audience of a referral, as the section sees it, is not what the model says; empty: nowhere."""
        today = self.world.day.isoformat()
        for case in self.world.cases:
            for form in case.referrals:
                page = await self.section(f"/referrals/{form.number}")
                live = [entry for entry in page["audience"] if entry["until"] is None or entry["until"] >= today]
                sights = self.world.readers(form)
                found = {entry["agency"]: (entry["view"] == "full", frozenset(entry["withheld"])) for entry in live}
                wanted = {agency: (sight.full, sight.withheld) for agency, sight in sights.items()}
                if found != wanted:
                    return f"{form.number}: {found} but {wanted}"
                for entry in live:
                    assert frozenset(entry["hidden"]) in sights[entry["agency"]].hidden, (form.number, entry)
        return ""

    async def list_of(self, staff: Staff) -> list[dict[str, Any]]:
        """The documents that a person finds."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            answer = await self.visitors[staff.user].get("documents", f"/documents?limit=100{after}")
            page = answer.expect(200).json()
            found += page["items"]
            if not page["next"]:
                return found
            after = f"&after={page['next']}"

    async def documents_differ(self) -> str:
        """Where somebody's list is not what the model says, or something on it is not drawn yet; empty: nowhere."""
        for staff in self.staff:
            items = await self.list_of(staff)
            found = {(item["number"], item["kind"], item["view"] == "full") for item in items}
            wanted = {
                (form.number, kind, sight.full)
                for form in self.forms()
                if (sight := sight_of(self.world, staff, None, form)) is not None
                for kind in self.world.papers(form, staff.agency, sight)
            }
            if found != wanted:
                return f"{staff.user} reads {found - wanted} too much, {wanted - found} too little"
            waiting = [item["id"] for item in items if item["state"] != "stored"]
            if waiting:
                return f"{waiting} are not drawn"
            self.versions |= {item["id"]: item["version"] for item in items}
        return ""

    def forms(self) -> list[Form]:
        """Everything that was handed in."""
        return [*self.world.pledges, *(form for case in self.world.cases for form in case.forms)]

    async def look_at_cases(self, staff: Staff) -> None:
        """The list holds the cases the person sees, and no page opens of another."""
        page = (await self.visitors[staff.user].get("intake", "/cases?limit=100")).expect(200).json()
        seen = {case.number for case in self.world.cases if reaches(self.world, staff, case)}
        heads = {case.number for case in self.world.cases if case.joined_into is None}
        assert {line["number"] for line in page["items"]} == seen & heads, staff.user
        for case in self.dice.sample(self.world.cases, min(2, len(self.world.cases))):
            answer = await self.visitors[staff.user].get("intake", f"/cases/{case.number}")
            assert answer.status == (200 if case.number in seen else 404), (staff.user, case.number, answer.status)

    async def look_into_files(self, staff: Staff) -> None:
        """Of what anybody ever had, a person opens just what is on their list; it shows nothing that is kept from them."""
        mine = {item["id"]: item for item in await self.list_of(staff)}
        others = [identity for identity in self.versions if identity not in mine]
        for identity in self.dice.sample(others, min(3, len(others))):
            base = f"/documents/{identity}/versions/{self.versions[identity]}/docx"
            (await self.visitors[staff.user].get("documents", base)).expect(404, "not-found")
        for item in self.dice.sample(list(mine.values()), min(2, len(mine))):
            base = f"/documents/{item['id']}/versions/{item['version']}/docx"
            word = (await self.visitors[staff.user].get("documents", base)).expect(200).content
            form = next(form for form in self.forms() if form.number == item["number"])
            self.check_text(staff, form, text_of(word))

    def check_text(self, staff: Staff, form: Form, text: str) -> None:
        """No withheld address or telephone, and nobody who is hidden."""
        sight, case = sight_of(self.world, staff, None, form), form.case
        assert sight is not None, (staff.user, form.name)
        if case is None:
            return
        subject = case.id_of(self.world.shown(form)[0])
        for field, literal in (("address", ADDRESS), ("phone", PHONE)):
            assert f"{subject}:{field}" not in sight.withheld or literal not in text, (staff.user, form.name, field)
        if form.kind == "referral":
            hidden = {name for name, identity in names_in(case, form).items() if identity in min(sight.hidden, key=len)}
            assert not [name for name in hidden if name in text], (staff.user, form.name)


def names_in(case: Case, form: Form) -> dict[str, str]:
    """By name, the ids of those a referral shows whose names stand in its rows alone."""
    asked = form.content.get("client_name", "")
    return {person.name: case.id_of(person) for person in form.people if person.name in PEOPLE and person.name != asked}


async def walk(folder: Path, *, steps: int, looks: int) -> int:
    """So many steps on a stack of its own, with so many looks at all that people can open; half way, two days pass. Returns
    how many steps were accepted."""
    stack = Stack(folder, pdf="off")
    await stack.start()
    try:
        tomorrow = stack.clock.today() + dt.timedelta(days=1)
        await stack.clock.to(tomorrow)  # no midnight comes in between
        cases = HttpCases(stack, tomorrow)
        try:
            await cases.sign_in()
            for number in range(1, steps + 1):
                try:
                    await cases.step()
                    if number == steps // 2:
                        await cases.pass_days()
                    if number % (steps // looks) == 0:
                        await cases.look()
                except AssertionError as error:
                    last = "\n".join(cases.log[-20:])
                    raise AssertionError(f"seed {SEED}, step {number}: {error}\n{last}") from error
        finally:
            await cases.leave()
        assert cases.accepted > steps // 5, cases.accepted
        return cases.accepted
    finally:
        await stack.stop()
