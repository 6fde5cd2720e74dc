"""久留米市, the figures and the turn of the 年度: targets and indicators, 実績報告, a contractor replaced on 1 April.

U:147-175 (five indicators, 24, 30 and 36 plans a year), U:28-41 (生活自立支援センター is entrusted; by whom is not said).
"""

from __future__ import annotations

import datetime as dt

from tests.data.forms import sample
from tests.scenarios import figures
from tests.scenarios.cases import page_of, window_referral
from tests.scenarios.fussa import consent_of
from tests.scenarios.plans import CasePlan
from tests.scenarios.story import Story
from tsunagi_shared import clock

FULL, SUMMARY = "full", "summary"
SHEET = "referral_sheet"
CENTER, PROVIDER = "livelihood-center", "multi-agency"
GOALS = {"participation": 24, "outreach": 30, "multi_agency": 36}
TARGETS = {kind: f"plans-{kind.replace('_', '-')}" for kind in GOALS}
INDICATORS = {
    "mutual-support-felt": 70, "watching-visits": 296_000, "livelihood-consultations": 1_020, "someone-to-ask": 87,
    "able-to-listen": 29,
}  # fmt: skip


async def told(story: Story, plans: list[tuple[str, CasePlan]]) -> None:
    """What the year came to, and what the next one begins with."""
    year = clock.fiscal_year(story.stack.clock.today())
    await _against_the_targets(story, plans, year)
    await _with_the_indicators(story)
    await _by_contractor(story, year)
    covered, other = await _agreed_differently(story)
    await _replaced(story, covered, other)
    await _asked_again(story, other)
    await _issued(story, year)


async def _against_the_targets(story: Story, plans: list[tuple[str, CasePlan]], year: int) -> None:
    """How many plans of each kind came into force in the 年度, counted again plan by plan."""
    made = dict.fromkeys(GOALS, 0)
    for case in dict.fromkeys(case for case, _ in plans):
        for plan in (await page_of(story, "kacho", case))["plans"]:
            since = plan["effective_on"]
            made[plan["kind"]] += bool(since) and clock.fiscal_year(dt.date.fromisoformat(since)) == year
    story.must(made == {"participation": 2, "outreach": 3, "multi_agency": 3}, f"策定した件数：{made}")
    found = figures.targets(await figures.of_year(story, "kacho", year))
    wanted = {TARGETS[kind]: (made[kind], goal) for kind, goal in GOALS.items()}
    story.must(found == wanted, f"目標と実績：{found}")
    shown = (await (await story.who("kacho")).page("intake", f"/reports/{year}")).expect(200).text
    story.must(all(f"{goal}" in shown for goal in GOALS.values()), "画面に、目標の24件・30件・36件がある")
    csv = (await (await story.who("kacho")).get("intake", f"/reports/{year}.csv")).expect(200).text
    story.must(all(case not in csv for case, _ in plans), "実績に、ケースの番号はない")
    story.step("年度の実績に、策定したプランの数（2件・3件・3件）が、目標の24件・30件・36件と並びました。")


async def _with_the_indicators(story: Story) -> None:
    """The 年度 in which the five indicators of くるめ支え合うプラン end: surveys, which this product does not count."""
    ends = {one.until for one in story.stack.load_profile().targets if one.id in INDICATORS and one.until is not None}
    story.must(len(ends) == 1, "5つの成果指標は、同じ年度を目標とする")
    year = clock.fiscal_year(ends.pop())
    report = await figures.of_year(story, "kacho", year)
    wanted: dict[str, tuple[int | None, int]] = {name: (None, goal) for name, goal in INDICATORS.items()}
    wanted |= {TARGETS[kind]: (0, goal) for kind, goal in GOALS.items()}
    story.must(figures.targets(report) == wanted, f"指標の年度の目標：{figures.targets(report)}")
    counted = [one for one in report.targets if one.id in INDICATORS]
    story.must(
        all(one.baseline and "集計対象外" in one.definition for one in counted), "基準の値と、数えないことが示される"
    )
    page = (await (await story.who("kacho")).page("intake", f"/reports/{year}")).expect(200).text
    story.must("296,000" in page and "226,650件" in page, "画面に、指標の目標と基準の値がある")
    story.must(report.value("plans.outreach.first") == 0, "結果のない年度は、0件と示される")
    story.step("5つの成果指標が、基準の値と目標とともに示されました。市民意識調査などは、集計対象外と分かります。")


async def _by_contractor(story: Story, year: int) -> None:
    """Who drew up how many, by contractor; small numbers are for the section alone."""
    hosts, council = "株式会社アソウ・ヒューマニーセンター", "社会福祉法人久留米市社会福祉協議会"
    numbers = {
        f"plans_by_provider.participation.{hosts}.participation": 2, f"plans_by_provider.outreach.{council}.outreach": 3,
        f"plans_by_provider.{PROVIDER}.{council}.multi_agency": 3,
    }  # fmt: skip
    whole = await figures.of_year(story, "kacho", year)
    found = {name: whole.value(name) for name in numbers}
    story.must(found == numbers, f"受託者ごとのプラン：{found}")
    seen = await figures.of_year(story, "tsunagu", year)
    story.must(seen.masked and seen.value(next(iter(numbers))) is None, "3未満の数は、所管課のほかには示されない")
    story.refused(await (await story.who("sanka")).get("intake", f"/reports/{year}"), 409, "role-missing")
    story.refused(await (await story.who("tsunagu")).post("intake", f"/reports/{year}/issue", {}), 409, "not-section")
    story.step("受託者ごとの件数を所管課が見ました。小さな数は、多機関協働事業者には「3未満」と示されます。")


async def _agreed_differently(story: Story) -> tuple[str, str]:
    """Two people agree to 生活自立支援センター: one also to whoever runs it next, one to the one of today."""
    mado, jiritsu = await story.who("mado"), await story.who("jiritsu")
    found = []
    for successor in (True, False):
        form = window_referral(destinations=[CENTER], consent={"status": "asking"})
        case = str((await mado.post("intake", "/referrals", form)).made()["case_number"])
        person = (await page_of(story, "mado", case))["people"][0]["id"]
        today = story.stack.clock.today().isoformat()
        given = consent_of(
            person, [CENTER, PROVIDER], given_on=today, explained_on=today, covers_successor=successor
        )  # fmt: skip
        (await mado.post("intake", f"/cases/{case}/consents", given)).made()
        await story.gets("jiritsu", SHEET, SUMMARY, case=case)
        found.append(case)
    contact = sample("contact", at=today, outreach_actions=[], contact_state=None)
    contact.pop("contact_state")
    (await jiritsu.post("intake", f"/cases/{found[0]}/contacts", contact)).made()
    tsugi = await story.who("tsugi")
    story.refused(await tsugi.get("intake", f"/cases/{found[0]}"), 403, "contract-ended")
    story.step("2人が生活自立支援センターに同意しました。1人は次の受託者にも、1人はいまの受託者だけに同意しています。")
    return found[0], found[1]


async def _replaced(story: Story, covered: str, other: str) -> None:
    """On the turn of the 年度 the old contractor is out at once; the new one has what the consent covers, and no more."""
    before = await story.gets("jiritsu", SHEET, SUMMARY, case=covered)
    center = story.stack.load_profile().agency(CENTER)
    turn = max(contract.starts for contract in center.operated_by)
    story.must((turn.month, turn.day) == (4, 1), "受託者は、年度のはじめに替わる")
    await story.move_to(turn)
    jiritsu, tsugi = await story.who("jiritsu"), await story.who("tsugi")
    for case in (covered, other):
        story.refused(await jiritsu.get("intake", f"/cases/{case}"), 403, "contract-ended")
    path = f"/documents/{before['id']}/versions/{before['version']}/docx"
    story.refused(await jiritsu.get("documents", path), 403, "contract-ended")
    contact = sample("contact", at=turn.isoformat(), outreach_actions=[])
    story.refused(await jiritsu.post("intake", f"/cases/{covered}/contacts", contact), 403, "contract-ended")
    story.step("4月1日に受託者が替わり、前の受託者の職員は、その日から何も開けず、何も書けません。")
    (await tsugi.get("intake", f"/cases/{covered}")).expect(200)
    found = await story.gets("tsugi", SHEET, SUMMARY, case=covered)
    await story.opens("tsugi", found, "共通様式-概要-次の受託者")
    (await tsugi.post("intake", f"/cases/{covered}/contacts", contact)).made()
    story.refused(await tsugi.get("intake", f"/cases/{other}"), 404, "not-found")
    story.must(await story.documents_of("tsugi", other) == [], "同意の及ばないケースの文書は届かない")
    story.step("次の受託者は、本人が次の受託者にも同意したケースだけを引き継ぎました。")


async def _asked_again(story: Story, other: str) -> None:
    """Whoever agreed to the old contractor alone is asked anew."""
    mado = await story.who("mado")
    page = await page_of(story, "mado", other)
    today = story.stack.clock.today().isoformat()
    again = consent_of(page["people"][0]["id"], [CENTER, PROVIDER], given_on=today, explained_on=today)
    (await mado.post("intake", f"/cases/{other}/consents", again)).made()
    await story.gets("tsugi", SHEET, SUMMARY, case=other)
    story.step("もう1人にもあらためて同意を得て、次の受託者に届きました。")


async def _issued(story: Story, year: int) -> None:
    """The year that is over stays as it was; the new one begins with nothing."""
    new = figures.targets(await figures.of_year(story, "kacho", year + 1))
    story.must(new == {TARGETS[kind]: (0, goal) for kind, goal in GOALS.items()}, f"新しい年度の実績：{new}")
    _, text = await figures.issued(story, "kacho", year, "実績報告書")
    story.must("3未満" in text and "アウトリーチ" in text, "実績報告書に、小さな数は示されない")
    own = await story.gets("tsunagu", figures.REPORT, FULL)
    await story.opens("tsunagu", own, "実績報告書-多機関協働事業者")
    await story.closed("sanka", own)
    story.step("年度が替わり、終わった年度の実績報告書を発行しました。新しい年度は0件から始まります。")
