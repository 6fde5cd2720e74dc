"""A case that ended long ago, and what the responsible section does about it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.conftest import MovableClock
from tests.data.case_work import ORIGIN, PROVIDER, SECTION, Desk, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.intake import Caller, Intake
from tests.data.services import until
from tsunagi_intake import tables
from tsunagi_shared.clock import JST

CLOSED_ON = dt.date(2026, 12, 1)
LAST_DAY = dt.date(2031, 12, 1)  # 5年保存: the same day five years later, inclusive
AFTERWARDS = dt.date(2031, 12, 2)


def noon(day: dt.date) -> dt.datetime:
    """A moment of a Japanese day."""
    return dt.datetime(day.year, day.month, day.day, 12, tzinfo=JST)


class Archive:
    """The service with people of the section; after the clock was moved they sign in anew."""

    def __init__(self, intake: Intake, clock: MovableClock) -> None:
        self.intake = intake
        self.clock = clock
        clock.to(noon(CLOSED_ON))
        self.desk = Desk(intake)
        intake.person("kacho", SECTION, "responsible_section", "chair")
        intake.person("kansa", SECTION, "auditor")

    def now(self, user: str) -> Caller:
        """Somebody with a fresh session."""
        return self.intake.signed_in(user)

    async def closed_case(self, **changes: Any) -> str:
        """A case with every kind of form that says something, closed on CLOSED_ON; its number."""
        desk = await self.desk.open(**changes)
        mado, coordinator = self.now("mado"), self.now("chosei")
        number = desk.case_number
        (person,) = [row["id"] for row in await self.rows(tables.persons) if row["position"] == 0][-1:]
        for caller, path, form in (
            (mado, "consents", consent_of(person, given_on=CLOSED_ON.isoformat(), explained_on=CLOSED_ON.isoformat())),
            (coordinator, "assessments", going_on()),
            (coordinator, "contacts", sample("contact")),
            (coordinator, "grounds", sample("ground")),
            (self.now("shokan"), "allocations?revision=1", sample("allocation")),
        ):
            answer = await send(caller, f"/cases/{number}/{path}", form)
            assert answer.status_code == 201, (path, answer.text)
        case = (await coordinator.get(f"/cases/{number}")).json()
        answer = await send(
            coordinator, f"/cases/{number}/protections", sample("protection", person=person), revision=case["revision"]
        )
        assert answer.status_code == 201, answer.text
        await self.close(number)
        return number

    async def close(self, number: str) -> None:
        """End a case."""
        coordinator = self.now("chosei")
        case = (await coordinator.get(f"/cases/{number}")).json()
        answer = await send(coordinator, f"/cases/{number}/closure", sample("closure"), revision=case["revision"])
        assert answer.status_code == 201, answer.text

    async def rows(self, table: Any) -> list[dict[str, Any]]:
        """Every row of a table."""
        return await self.intake.rows(table)

    async def due(self, user: str = "shokan") -> list[str]:
        """The numbers of the cases that are due."""
        page = (await self.now(user).get("/disposals")).json()
        return [line["number"] for line in page["due"]["items"]]

    async def proposed(self, user: str = "shokan") -> str:
        """A list of what is due; its id."""
        answer = await send(self.now(user), "/disposals")
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def list(self, identity: str) -> Any:
        """A list as it stands."""
        return (await self.now("shokan").get(f"/disposals/{identity}")).json()

    async def approved(self, identity: str, user: str = "kacho") -> Any:
        """A list that somebody approved, when everything on it is settled."""
        answer = await send(self.now(user), f"/disposals/{identity}/approval")
        assert answer.status_code == 201, answer.text

        async def done() -> bool:
            return bool((await self.list(identity))["state"] == "done")

        await until(done)
        return await self.list(identity)


__all__ = ["AFTERWARDS", "CLOSED_ON", "LAST_DAY", "ORIGIN", "PROVIDER", "SECTION", "Archive", "noon"]
