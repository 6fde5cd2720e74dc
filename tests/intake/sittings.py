"""What people do around a sitting over HTTP: short for tests that need one with something on its agenda."""

from __future__ import annotations

from typing import Any

import httpx

from tests.data.case_work import ORIGIN, PROVIDER, Desk, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.intake import Caller, Intake
from tests.data.plan_work import Work
from tsunagi_shared import clock

LAYERED, SUPPORT = ("layered-support", "layered_support_meeting"), ("support-meeting", "support_meeting")
NAMES = {"chosei": "見本　調整", "kaigo": "見本　介子", "shokan": "見本　所子", "yoso": "見本　保子"}


def today() -> str:
    """The Japanese day of the test."""
    return clock.today().isoformat()


def member(agency: str, user: str, **changes: Any) -> dict[str, Any]:
    """Somebody who is called, chosen for nothing and told of nothing."""
    return {"agency": agency, "user": user, "name": NAMES[user], "title": "係長", "attends": True, **changes}


def said(present: list[tuple[str, str]], left: list[tuple[str, str]] = [], **changes: Any) -> dict[str, Any]:  # noqa: B006
    """Minutes of an item that approve, with who was there and who left."""
    rows = [(one, "present") for one in present] + [(one, "left") for one in left]
    presences = [
        {"agency": agency, "title": "係長", "name": NAMES[user], "state": state} for (agency, user), state in rows
    ]
    return {"presences": presences, "discussion": "順番を話し合った。", "decision": "approved", **changes}


class Table:
    """A case with a plan that waits for a sitting, and the people around it."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.desk = Desk(intake)
        self.work = Work(self.desk)
        self.plan_id = ""
        self.coordinator, self.section = self.desk.coordinator, self.desk.section
        self.care, self.stranger, self.mado = self.desk.care, self.desk.stranger, self.desk.mado

    async def open(self, **changes: Any) -> Table:
        """Hand in a referral without a consent and take it on."""
        without = {"status": "not_asked"}
        await self.desk.open(**{"consent": without, "household": [], "household_size": 1, **changes})
        await self.desk.send(self.coordinator, "assessments", going_on())
        return self

    @property
    def case(self) -> str:
        """The number of the case."""
        return self.desk.case_number

    async def person(self) -> str:
        """The id of the person whose case it is."""
        page = (await self.section.get(f"/cases/{self.case}")).json()
        return str(page["people"][0]["id"])

    async def consent(self, *agencies: str, **changes: Any) -> httpx.Response:
        """The person agrees to these agencies."""
        form = consent_of(await self.person(), agencies=list(agencies), **changes)
        return await self.desk.send(self.mado, "consents", form)

    async def withdraw(self) -> None:
        """The person takes the newest consent back as a whole."""
        consent = (await self.section.get(f"/cases/{self.case}")).json()["people"][0]["consents"][0]
        form = {**sample("consent_withdrawal", withdrawn_on=today(), agencies=[]), "whole": True}
        gone = await send(self.mado, f"/consents/{consent['id']}/withdrawal", form, revision=consent["revision"])
        assert gone.status_code == 201, gone.text

    async def plan(self, **changes: Any) -> str:
        """A proposed plan; its number."""
        self.plan_id = await self.work.proposed(**changes)
        return str((await self.work.row(self.plan_id))["number"])

    async def sitting(self, *bodies: str, caller: Caller | None = None, **changes: Any) -> str:
        """A sitting today; its id."""
        days = {"held_on": today(), **changes}
        form = sample("meeting", bodies=list(bodies or ("layered-support",)), **days)
        made = await send(caller or self.coordinator, "/meetings", form)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def put(
        self, meeting: str, plan: str = "", heard: tuple[str, str] = LAYERED, **changes: Any
    ) -> httpx.Response:
        """Put the case on the agenda."""
        form = {
            "body": heard[0], "legal_role": heard[1], "occasion": "adopt" if plan else "sharing",
            "case_number": self.case, "plan_number": plan, **changes,
        }  # fmt: skip
        return await send(self.coordinator, f"/meetings/{meeting}/items", form)

    async def item(self, meeting: str, plan: str = "", heard: tuple[str, str] = LAYERED, **changes: Any) -> str:
        """The same; the item's id."""
        made = await self.put(meeting, plan, heard, **changes)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def call(self, meeting: str, *people: tuple[str, str], **changes: Any) -> list[str]:
        """Call these people; their ids as members."""
        found = []
        for agency, user in people:
            made = await send(self.coordinator, f"/meetings/{meeting}/members", member(agency, user, **changes))
            assert made.status_code == 201, made.text
            found.append(str(made.json()["id"]))
        return found

    async def page(self, meeting: str, caller: Caller | None = None) -> Any:
        """The sitting as its office sees it."""
        return (await (caller or self.coordinator).get(f"/meetings/{meeting}")).json()

    async def outlook(self, meeting: str) -> Any:
        """The dry run."""
        return (await self.coordinator.get(f"/meetings/{meeting}/convening")).json()

    async def convene(self, meeting: str, caller: Caller | None = None, revision: int = 0) -> httpx.Response:
        """Send the notices out."""
        revision = revision or (await self.page(meeting))["revision"]
        return await send(caller or self.coordinator, f"/meetings/{meeting}/convening", revision=revision)

    async def write(
        self, meeting: str, item: str, form: dict[str, Any], revision: int = 0, caller: Caller | None = None
    ) -> httpx.Response:
        """Type the minutes of an item."""
        who = caller or self.coordinator
        address = f"/meetings/{meeting}/items/{item}/minutes?revision={revision}"
        headers = {**who.headers, "Sec-Fetch-Site": "same-origin"}
        return await who.client.request("PUT", address, json=form, headers=headers)

    async def close(self, meeting: str, caller: Caller | None = None, revision: int = 0) -> httpx.Response:
        """Close the sitting."""
        revision = revision or (await self.page(meeting))["revision"]
        return await send(caller or self.coordinator, f"/meetings/{meeting}/closing", revision=revision)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of an answer that refuses."""
    return answer.status_code, answer.json().get("code", "")


__all__ = ["LAYERED", "ORIGIN", "PROVIDER", "SUPPORT", "Table", "code_of", "member", "said", "today"]
