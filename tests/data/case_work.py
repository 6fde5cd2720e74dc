"""What people do with a case over HTTP: short for tests of intake that need one with something in it."""

from __future__ import annotations

from typing import Any

import httpx

from tests.data.forms import sample
from tests.data.intake import Caller, Intake
from tests.data.referrals import referral

SECTION, PROVIDER, ORIGIN, DESTINATION = "social-welfare", "welfare-desk", "disability", "sample-care"


class Desk:
    """One case with the people around it: a window, the provider's coordinator, the section, a destination."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.mado = intake.person("mado", ORIGIN, "clerk")
        self.coordinator = intake.person("chosei", PROVIDER, "coordinator")
        self.section = intake.person("shokan", SECTION, "responsible_section")
        self.care = intake.person("kaigo", DESTINATION, "agency_staff")
        self.stranger = intake.person("yoso", "sample-nursery", "agency_staff")
        self.referral_number = self.case_number = ""

    async def open(self, **changes: Any) -> Desk:
        """Hand in a referral, which opens the case."""
        receipt = (await send(self.mado, "/referrals", referral(**changes))).json()
        self.referral_number, self.case_number = receipt["referral_number"], receipt["case_number"]
        return self

    async def send(self, caller: Caller, path: str, form: Any = None, **how: Any) -> httpx.Response:
        """Post to something of the case: `consents` is /cases/<its number>/consents."""
        return await send(caller, f"/cases/{self.case_number}/{path}", form, **how)

    async def referral(self, caller: Caller, path: str, form: Any, **how: Any) -> httpx.Response:
        """Post to something of the referral."""
        return await send(caller, f"/referrals/{self.referral_number}/{path}".rstrip("/"), form, **how)


async def send(
    caller: Caller, path: str, form: Any = None, *, key: str = "", revision: int = 0, method: str = "POST"
) -> httpx.Response:
    """Send JSON as a program or as the page's own script would."""
    query = f"?revision={revision}" if revision else ""
    more = {"Idempotency-Key": key} if key else {}
    return await caller.client.request(
        method, path + query, json=form if form is not None else {},
        headers={**caller.headers, "Sec-Fetch-Site": "same-origin", **more},
    )  # fmt: skip


def going_on(**changes: Any) -> dict[str, Any]:
    """An assessment after which the case goes on."""
    return sample("assessment", screening="continued", handed_over_to=[], **changes)


def consent_of(person: str, **changes: Any) -> dict[str, Any]:
    """A 同意書 of a person, given by themselves and naming two agencies."""
    form = sample("consent", person=person, signer="person", agencies=["sample-care", "welfare-council"])
    for name in ("signer_name", "signer_relationship", "excluded_agencies", "until", "covers_successor"):
        form.pop(name)
    return {**form, **changes}
