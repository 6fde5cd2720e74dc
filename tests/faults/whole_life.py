"""All that can happen to cases, over HTTP and in some twenty steps: it sets off every event there is but a failed document."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

from deploy.local.stack import Stack, add_sample_users
from deploy.local.visitor import Visitor
from tests.data.forms import sample
from tests.data.plan_work import plan
from tests.data.referrals import referral, without_consent
from tests.faults.line import at_rest, rows
from tsunagi_shared.accounts import Post
from tsunagi_shared.clock import fiscal_year

REST_SECONDS = 120.0
KEPT_YEARS = 5  # the profile's class for every form, counted from the day on which the case ended
PEOPLE = ("mado", "tsunagu", "kaigo", "jiritsu", "kacho", "shokan")
LONGER = "2099-09-30"  # than the sample's consents
AFTER_THE_SWEEP = dt.timedelta(minutes=10)  # what is erased is swept once more after five


class Cases:
    """The numbers of the three cases: one that much happens to, one joined to it, one taken back and erased in the end."""

    def __init__(self, stack: Stack, people: dict[str, Visitor]) -> None:
        self.stack = stack
        self.people = people
        self.main: dict[str, Any] = {}
        self.joined: dict[str, Any] = {}
        self.erased: dict[str, Any] = {}

    async def rest(self) -> None:
        """Wait until nothing moves."""
        await at_rest(self.stack, REST_SECONDS)

    async def post(self, user: str, path: str, form: Any, service: str = "intake") -> Any:
        """Somebody posts it and it is taken."""
        return (await self.people[user].post(service, path, form)).made()

    async def put(self, user: str, path: str, form: Any) -> Any:
        """Somebody puts it and it is taken."""
        return (await self.people[user].put("intake", path, form)).made()

    async def now(self, path: str) -> str:
        """The path with the revision that stands there, as the provider's coordinator reads it."""
        page = (await self.people["tsunagu"].get("intake", path.rpartition("/")[0])).made()
        return f"{path}?revision={page['revision']}"

    async def page(self) -> Any:
        """The main case, as the provider's coordinator reads it."""
        return (await self.people["tsunagu"].get("intake", f"/cases/{self.main['case_number']}")).made()

    async def of_case(self, user: str, path: str, form: Any) -> Any:
        """Post to the main case, on its revision of now."""
        page = await self.page()
        return await self.post(user, f"/cases/{self.main['case_number']}/{path}?revision={page['revision']}", form)


@contextlib.asynccontextmanager
async def staffed(stack: Stack) -> AsyncIterator[Cases]:
    """The sample staff, signed in, and a second person of the responsible section, who approves what the first proposes."""
    accounts = stack.accounts()
    passwords = add_sample_users(accounts)
    section = stack.load_profile().municipality.responsible_section
    passwords["shokan"] = accounts.add_user("shokan", "見本　所管", [Post(section, ("responsible_section",))])
    accounts.close()
    people = {name: Visitor(stack, name, passwords[name]) for name in PEOPLE}
    async with contextlib.AsyncExitStack() as visitors:
        for visitor in people.values():
            await visitors.enter_async_context(visitor)
        yield Cases(stack, people)


async def live_through(stack: Stack) -> str:
    """All of it, until everything rests; the number of the case that is erased in the end."""
    async with staffed(stack) as cases:
        await _told(cases)
        await _read(cases)
        await _without_pdf(stack)
        await _worked_on(cases)
        await _consents_change(cases)
        await _protected_and_corrected(cases)
        await _taken_back(cases)
        await _joined(cases)
        await _met(cases)
        await cases.rest()
        await _reported(cases)
        await cases.rest()
        await _erased(cases)
        return str(cases.erased["case_number"])


async def _told(cases: Cases) -> None:
    """Two referrals; of the first the mails are refused and sent again, and its documents asked for once more."""
    stack = cases.stack
    stack.mail.refuse("rcpt", "550 5.1.1 no such mailbox")
    cases.main = await cases.post("mado", "/referrals", referral())
    await cases.rest()
    stack.mail.accept()
    failed = [row["id"] for row in rows(stack, "notify", "SELECT id FROM deliveries WHERE state = 'failed'")]
    assert len(failed) == 5, "the mails were refused: two to destinations, one to the section, two to the provider"
    await cases.post("kacho", "/deliveries/resend", {"deliveries": failed}, "notify")
    await cases.post("mado", f"/referrals/{cases.main['referral_number']}/documents", {})
    cases.erased = await cases.post("mado", "/referrals", without_consent())
    await cases.rest()


async def _read(cases: Cases) -> None:
    """Papers are opened, and both kinds of answer are given."""
    for reader in ("tsunagu", "kaigo", "jiritsu", "kacho"):
        visitor = cases.people[reader]
        for document in (await visitor.get("documents", "/documents")).made()["items"]:
            for file_format in ("docx", "pdf"):
                address = f"/documents/{document['id']}/versions/{document['version']}/{file_format}"
                (await visitor.get("documents", address)).expect(200)
    for user in ("kaigo", "jiritsu"):
        inbox = (await cases.people[user].get("notify", "/inbox")).made()["items"]
        path = f"/deliveries/{inbox[0]['id']}"
        await cases.post(user, f"{path}/acknowledgement", {}, "notify")
        if user == "kaigo":
            await cases.post(user, f"{path}/misdelivery", {"code": "not_ours"}, "notify")


async def _without_pdf(stack: Stack) -> None:
    """Documents goes on without making PDFs: of what follows they would tell nothing new, and take most of the time."""
    await stack.services["documents"].stop()
    stack.pdf = "off"
    stack.services["documents"] = stack._service("documents")
    await stack.start_service("documents")


async def _worked_on(cases: Cases) -> None:
    """A third referral; the provider takes the first on, assesses, logs, evaluates; somebody pledges secrecy."""
    cases.joined = await cases.post("mado", "/referrals", referral())
    number, case = cases.main["referral_number"], cases.main["case_number"]
    await cases.post("tsunagu", f"/referrals/{number}/reply?revision=1", sample("reply"))
    going_on = sample("assessment", screening="continued", handed_over_to=[])
    await cases.post("tsunagu", f"/cases/{case}/assessments", going_on)
    await cases.post("tsunagu", f"/cases/{case}/contacts", sample("contact"))
    await cases.post("tsunagu", f"/cases/{case}/evaluations", sample("evaluation"))
    await cases.post("kaigo", "/pledges", sample("pledge"))
    await cases.of_case("tsunagu", "allocations", sample("allocation", since=_today(cases)))
    await cases.rest()


async def _consents_change(cases: Cases) -> None:
    """A member of the household agrees; 本人 withdraws for one agency, agrees again, and to more and for longer."""
    page = await cases.page()
    case, (person, wife, *_) = page["case_number"], page["people"]
    await cases.post("mado", f"/cases/{case}/consents", _consent_of(wife["id"], ["sample-care"]))
    await cases.rest()
    consent = person["consents"][0]
    ended = sample("consent_withdrawal", agencies=["hardship-support"], withdrawn_on=_today(cases))
    await cases.post("mado", f"/consents/{consent['id']}/withdrawal?revision={consent['revision']}", ended)
    await cases.rest()
    again = _consent_of(person["id"], ["sample-care", "hardship-support"])
    made = await cases.post("mado", f"/cases/{case}/consents", again)
    await cases.rest()
    longer = sample("consent_extension", agencies=["sample-clinic"], given_on=_today(cases), until=LONGER)
    await cases.post("mado", f"/consents/{made['id']}/extension?revision={made['revision']}", longer)
    await cases.rest()


def _consent_of(person: str, agencies: list[str]) -> dict[str, Any]:
    return sample("consent", person=person, agencies=agencies, excluded_agencies=[])


async def _protected_and_corrected(cases: Cases) -> None:
    """The address of 本人 is protected from all but the provider; another protection is lifted; the form is corrected."""
    person, wife, *_ = (await cases.page())["people"]
    await cases.of_case("tsunagu", "protections", sample("protection", person=wife["id"], since=_today(cases)))
    await cases.rest()
    protection = (await cases.page())["protections"][0]
    await cases.post("tsunagu", f"/protections/{protection['id']}/lifting", {})
    await cases.of_case("tsunagu", "protections", sample("protection", person=person["id"], since=_today(cases)))
    await cases.rest()
    path = f"/referrals/{cases.main['referral_number']}?revision=1"
    (await cases.people["mado"].put("intake", path, referral(considerations="午後に連絡してほしい。"))).made()
    await cases.rest()


async def _taken_back(cases: Cases) -> None:
    """Two referrals went wrong: a further one about the case, and the one without consent, whose case ends with that."""
    further = await cases.post("mado", "/referrals", referral(case_number=cases.main["case_number"]))
    await cases.rest()
    for receipt in (further, cases.erased):
        form = sample("withdrawal", noticed_on=_today(cases))
        await cases.post("mado", f"/referrals/{receipt['referral_number']}/withdrawal?revision=1", form)


async def _joined(cases: Cases) -> None:
    """The coordinator sees that two cases are of the same person."""
    number = cases.joined["case_number"]
    page = (await cases.people["tsunagu"].get("intake", f"/cases/{number}")).made()
    path = f"/cases/{number}/joining?revision={page['revision']}"
    await cases.post("tsunagu", path, {"into": cases.main["case_number"]})


async def _met(cases: Cases) -> None:
    """A person without a household: asked about elsewhere, logged, planned for; a sitting decides, and the plan is in force."""
    consent = _consent_of("", ["welfare-desk", "sample-care"]) | {"status": "given"}
    consent = {name: consent[name] for name in ("status", "given_on", "method", "agencies")}
    receipt = await cases.post("mado", "/referrals", referral(household=[], household_size=1, consent=consent))
    case = f"/cases/{receipt['case_number']}"
    await cases.post("tsunagu", f"/referrals/{receipt['referral_number']}/reply?revision=1", sample("reply"))
    going_on = sample("assessment", screening="continued", handed_over_to=[])
    await cases.post("tsunagu", f"{case}/assessments", going_on)
    await cases.post("tsunagu", f"{case}/contacts", sample("contact", at=_today(cases)))
    await cases.post("tsunagu", f"{case}/contact-logs", sample("contact_log", since=_today(cases), until=_today(cases)))
    await cases.post("tsunagu", f"{case}/information-requests", sample("information_request"))
    row = {"agency": "sample-care", "part": "週2回の訪問", "frequency": "週2回"}
    drawn = plan(made_on=_today(cases), lead_agency="welfare-desk", allocations=[row])
    made = await cases.post("tsunagu", f"{case}/plans", drawn)
    place = f"/plans/{made['id']}"
    await cases.post("tsunagu", await cases.now(f"{place}/proposal"), {})
    await cases.rest()
    await _sat(cases, receipt["case_number"], made["number"])
    await cases.rest()
    await cases.post("tsunagu", await cases.now(f"{place}/agreement"), {"agreed_on": _today(cases)})
    await cases.rest()  # a paper that a newer revision overtakes while it is drawn leaves an object that no row knows
    done = await cases.post("kacho", await cases.now(f"{place}/municipal-decision"), {"decided_on": _today(cases)})
    assert done["code"] == "adopted"
    await cases.rest()


async def _sat(cases: Cases, case: str, number: str) -> None:
    """A sitting about the plan, convened, held and closed on one day; another is convened and called off."""
    role = {"body": "layered-support", "legal_role": "layered_support_meeting"}
    who = {"agency": "welfare-desk", "title": "係長", "name": "見本　つなぐ"}
    for held in (True, False):
        form = sample("meeting", bodies=["layered-support"], held_on=_today(cases))
        place = f"/meetings/{(await cases.post('tsunagu', '/meetings', form))['id']}"
        about = {**role, "occasion": "adopt", "case_number": case, "plan_number": number} if held else {
            **role, "occasion": "sharing", "case_number": case,
        }  # fmt: skip
        item = (await cases.post("tsunagu", f"{place}/items", about))["id"]
        await cases.post("tsunagu", f"{place}/members", {**who, "attends": True})
        await cases.post("tsunagu", await cases.now(f"{place}/convening"), {})
        await cases.rest()
        if held:
            said = {
                "presences": [{**who, "state": "present"}],
                "decision": "approved",
                "discussion": "順番を話し合った。",
            }
            await cases.put("tsunagu", f"{place}/items/{item}/minutes?revision=0", said)
            await cases.post("tsunagu", await cases.now(f"{place}/closing"), {})
        else:
            await cases.post("tsunagu", await cases.now(f"{place}/cancellation"), {"reason": "委員の都合による。"})


async def _reported(cases: Cases) -> None:
    """The section issues the figures of the 年度."""
    await cases.post("kacho", f"/reports/{fiscal_year(cases.stack.clock.today())}/issue", {})


async def _erased(cases: Cases) -> None:
    """When the time is over, one of the section proposes the disposal and another approves."""
    clock = cases.stack.clock
    await clock.to(clock.today().replace(year=clock.today().year + KEPT_YEARS) + dt.timedelta(days=2))
    for user in ("kacho", "shokan"):
        await cases.people[user].sign_in()
    made = await cases.post("shokan", "/disposals", {})
    await cases.post("kacho", f"/disposals/{made['id']}/approval", {})
    done = await cases.people["kacho"].until("intake", f"/disposals/{made['id']}", lambda page: page["state"] == "done")
    assert [(item["case_number"], item["state"]) for item in done["items"]] == [(cases.erased["case_number"], "erased")]
    await clock.forward(AFTER_THE_SWEEP)
    await cases.rest()


def _today(cases: Cases) -> str:
    return cases.stack.clock.today().isoformat()
