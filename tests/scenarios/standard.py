"""The national frame: a household that does not agree alike, a contractor replaced on 1 April, a person who asks what is held.

The 多機関協働事業者 is a contractor and gets nothing without consent (S:427-430); members agree one by one (domain §3.2);
a contract ends with the 年度 (domain §5.13); disclosure follows 個人情報保護法. What meetings decide is told
in `standard_plans`.
"""

from __future__ import annotations

from typing import Any

from tests.data.forms import sample
from tests.scenarios import standard_plans
from tests.scenarios.cases import window_referral
from tests.scenarios.fussa import FULL, SHEET, SUMMARY, consent_of, revision_of
from tests.scenarios.story import Story, next_year

DRAFT = "assessment_sheet"
PERSON, WIFE, SON = "見本　太郎", "見本　花子", "見本　一郎"


async def tell(story: Story) -> None:
    """The whole story."""
    case, number = await _not_even_the_provider(story)
    people = await _members_differ(story, case, number)
    await _successor(story, case, people)
    await _disclosed(story, case, people)
    await standard_plans.told(story)


def _referral(**changes: Any) -> dict[str, Any]:
    return window_referral(destinations=["participation-center", "school"], **changes)


async def _not_even_the_provider(story: Story) -> tuple[str, str]:
    """Without consent a contractor that is not the secretariat of the 支援会議 sees nothing."""
    mado, tsunagu = await story.who("mado"), await story.who("tsunagu")
    receipt = (await mado.post("intake", "/referrals", _referral(consent={"status": "asking"}))).made()
    case = str(receipt["case_number"])
    await story.awaits("kacho", case, (SHEET, FULL))
    story.refused(await tsunagu.get("intake", f"/cases/{case}"), 404, "not-found")
    story.must(await story.documents_of("tsunagu", case) == [], "同意のないケースは、委託の多機関協働事業者に見えない")
    story.step("同意のないケースは、所管課と支援会議の事務局だけが見られます。委託の多機関協働事業者には見えません。")
    return case, str(receipt["referral_number"])


async def _members_differ(story: Story, case: str, number: str) -> dict[str, str]:
    """本人 agrees to two agencies, 妻 to one of them, 長男 to none."""
    mado, tsunagu = await story.who("mado"), await story.who("tsunagu")
    page = (await mado.get("intake", f"/cases/{case}")).made()
    people = {person["name"]: str(person["id"]) for person in page["people"]}
    story.must(set(people) == {PERSON, WIFE, SON}, "書いた窓口には世帯の全員が見える")
    given = consent_of(people[PERSON], ["participation-center", "school"], covers_successor=False)
    (await mado.post("intake", f"/cases/{case}/consents", given)).made()
    both = consent_of(people[WIFE], ["participation-center"], covers_successor=True)
    (await mado.post("intake", f"/cases/{case}/consents", both)).made()
    refusal = sample(
        "consent", person=people[SON], status="refused", agencies=[], lists=[], excluded_agencies=[], scope=[], given_on=None,
        method=None, until=None, covers_successor=False, signer="person", signer_name="", signer_relationship="",
    )  # fmt: skip
    (await mado.post("intake", f"/cases/{case}/consents", refusal)).made()
    found = await story.awaits("sanka", case, (SHEET, SUMMARY))
    text = await story.opens("sanka", found[SHEET, SUMMARY], "概要-妻も同意した機関")
    story.must(PERSON in text and WIFE in text and SON not in text, "妻が同意した機関には、妻も見える")
    found = await story.awaits("gakko", case, (SHEET, SUMMARY))
    text = await story.opens("gakko", found[SHEET, SUMMARY], "概要-本人だけが同意した機関")
    story.must(PERSON in text and WIFE not in text and SON not in text, "本人だけが同意した機関には、本人だけが見える")
    found = await story.awaits("tsunagu", case, (SHEET, FULL), (DRAFT, FULL), *await _consent_forms(story, case))
    text = await story.opens("tsunagu", found[SHEET, FULL], "つなぎシート-多機関協働事業者")
    story.must(WIFE in text and SON not in text, "同意していない長男は、委託の多機関協働事業者にも見えない")
    (
        await tsunagu.post(
            "intake", f"/referrals/{number}/reply?revision=1", sample("reply", lead_agency="multi-agency-center")
        )
    ).made()
    story.step("本人と妻の同意は範囲が違い、長男は同意しませんでした。機関ごとに、同意した人だけが見えます。")
    return people


async def _consent_forms(story: Story, case: str) -> list[tuple[str, str]]:
    """The consent forms that the provider reads beside the sheets, however many."""
    found = await (await story.who("tsunagu")).until(
        "documents", f"/documents?case={case}", lambda page: len(page["items"]) > 2, seconds=40
    )
    return [(item["kind"], item["view"]) for item in found["items"] if item["kind"] not in (SHEET, DRAFT)]


async def _successor(story: Story, case: str, people: dict[str, str]) -> None:
    """On 1 April another contractor runs the agency. The person's consent did not reach that far."""
    tsunagu = await story.who("tsunagu")
    revision = await revision_of(story, case)
    allocation = sample(
        "allocation", agency="participation-center", since=story.stack.clock.today().isoformat(), until=None
    )
    (await tsunagu.post("intake", f"/cases/{case}/allocations?revision={revision}", allocation)).made()
    tsugi = await story.who("tsugi")
    story.refused(await tsugi.get("intake", f"/cases/{case}"), 403, "contract-ended")
    story.step("参加支援の事業者に役割をお願いしました。次の受託者は、まだ何も見られません。")
    before = next(item for item in await story.documents_of("sanka", case) if item["kind"] == SHEET)
    turn = next_year(story.stack.clock.today())
    await story.move_to(turn)
    sanka, tsugi, mado = await story.who("sanka"), await story.who("tsugi"), await story.who("mado")
    path = f"/documents/{before['id']}/versions/{before['version']}/docx"
    story.refused(await sanka.get("intake", f"/cases/{case}"), 403, "contract-ended")
    story.refused(await sanka.get("documents", path), 403, "contract-ended")
    story.refused(await tsugi.get("intake", f"/cases/{case}"), 404, "not-found")
    story.step("4月1日に受託者が替わりました。前の受託者は見られなくなり、次の受託者は同意が及ばないので見られません。")
    page = (await mado.get("intake", f"/cases/{case}")).made()
    person = next(person for person in page["people"] if person["id"] == people[PERSON])
    consent = next(row for row in person["consents"] if row["status"] == "given")
    again = consent_of(
        people[PERSON], ["participation-center", "school"], given_on=turn.isoformat(), covers_successor=True
    )
    again |= {"explained_on": turn.isoformat()}
    story.must(consent["id"], "もとの同意は残っている")
    (await mado.post("intake", f"/cases/{case}/consents", again)).made()
    found = await story.awaits("tsugi", case, (SHEET, SUMMARY))
    text = await story.opens("tsugi", found[SHEET, SUMMARY], "概要-次の受託者")
    story.must(PERSON in text and SON not in text, "次の受託者には、同意した人だけが見える")
    story.step("次の受託者にも共有してよいという同意を得て、記録しました。次の受託者に届きました。")


async def _disclosed(story: Story, case: str, people: dict[str, str]) -> None:
    """The person asks for everything held on them; what concerns others is withheld."""
    kacho, mado = await story.who("kacho"), await story.who("mado")
    path = f"/cases/{case}/disclosure?person={people[PERSON]}"
    answer = await mado.get("intake", path)
    story.refused(answer, answer.status, answer.code)
    story.must(answer.status in (403, 409), "開示の作業は所管課だけ")
    held = await kacho.get("intake", path)
    story.must(PERSON in held.expect(200).text, "本人について持っているものが示される")
    story.must(SON not in held.text, "ほかの人のことは示されない")
    page = await kacho.page("intake", path)
    story.must(page.expect(200).text.count("（非開示）") > 0, "印刷する画面で、ほかの人のことは（非開示）")
    story.step("本人の求めに応じて、持っている記録をすべて示しました。ほかの人のことは示していません。")
