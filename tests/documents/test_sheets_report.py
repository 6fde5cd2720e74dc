"""実績報告書: what it shows of a 年度, who reads it, and that it is a sheet like the others."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pypdf
import pytest

from deploy.local.servers import ObjectStore
from tests.data.events import SAMPLES
from tests.data.services import PROFILE
from tests.documents.running_service import DESTINATION, PROVIDER, running_service
from tests.documents.test_sheets import word_text
from tsunagi_documents.kinds import ANNUAL_REPORT, Audience, documents_for
from tsunagi_documents.pdf import Converter
from tsunagi_documents.sheets import sheet_context, sheet_marks
from tsunagi_documents.word.draw import FOLDER
from tsunagi_documents.word.render import render_word
from tsunagi_intake import report_events
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import REPORT_ISSUED, ReportIssued
from tsunagi_shared.contracts.profile import load_profile
from tsunagi_shared.contracts.report import Figure, FigureGroup

SECTION = "social-welfare"
_sample = SAMPLES[REPORT_ISSUED]
assert isinstance(_sample, ReportIssued)
ISSUED: ReportIssued = _sample
READERS = report_events.readers(load_profile(PROFILE))


def long() -> ReportIssued:
    """A report of forty groups of ten figures."""
    groups = tuple(
        FigureGroup(
            id=f"g{place}",
            title=f"見本の区分{place}",
            figures=tuple(
                Figure(
                    id=f"g{place}.{line}",
                    name="見本の項目" * 6,
                    definition=f"見本の定義{line}。" * 8,
                    value=line * 1000,
                )
                for line in range(10)
            ),
        )
        for place in range(40)
    )
    return msgspec.structs.replace(ISSUED, form=msgspec.structs.replace(ISSUED.form, groups=groups))


def rendered(event: ReportIssued) -> bytes:
    """The sheet as the service makes it."""
    context = sheet_context(event, ANNUAL_REPORT, View.FULL, (), (), False)
    template = (FOLDER / "annual_report.docx").read_bytes()
    return render_word(template, context, marks=sheet_marks(False), title=ANNUAL_REPORT)


def test_it_shows_figures_targets_and_definitions() -> None:
    """Zeros, masked counts, 集計対象外, the rate; and nothing of a template is left."""
    text = word_text(rendered(ISSUED))
    for word in (
        "令和8年度",
        "令和8年11月23日",
        "プラン（参加支援）",
        "18件",
        "0件",
        "3未満",
        "集計対象外",
        "75％",
        "64.1％",
    ):
        assert word in text
    for left in ("None", "{{ r", "{%p", "{%tr", "{% if"):
        assert left not in text


def test_without_targets_it_says_so() -> None:
    """A municipality without numeric targets has a report as well; one with full figures says nothing of masking."""
    form = msgspec.structs.replace(ISSUED.form, targets=(), masked=False)
    text = word_text(rendered(msgspec.structs.replace(ISSUED, form=form)))
    assert "この年度の数値目標は、ありません。" in text
    assert "非表示" not in text


def test_one_paper_for_the_section_and_the_provider() -> None:
    """Nothing is a summary."""
    plans = documents_for("report/1", Audience(entries=READERS, provider=PROVIDER))
    assert [(plan.row.kind, [entry.agency for entry in plan.entries]) for plan in plans] == [
        (ANNUAL_REPORT, [SECTION, PROVIDER])
    ]


async def test_it_is_read_by_those_it_is_for(tmp_path: Path, store: ObjectStore) -> None:
    """Coordinators, section and auditors of the section and the provider; none of their other staff, and nobody else; the next
    version takes its place."""
    issued = msgspec.structs.replace(ISSUED, audience=READERS, provider=PROVIDER)
    async with running_service(tmp_path, store) as service:
        found = await service.stored(issued)
        page = f"/documents/{found[ANNUAL_REPORT, 'full']}"
        answers = {}
        for user, agency, role in (
            ("kacho", SECTION, "responsible_section"), ("kansa", SECTION, "auditor"), ("kanri", SECTION, "administrator"),
            ("mado", SECTION, "clerk"), ("chosei", PROVIDER, "coordinator"), ("uketsuke", PROVIDER, "clerk"),
            ("jimu", PROVIDER, "promoter"), ("shokuin", PROVIDER, "agency_staff"), ("kaigo", DESTINATION, "coordinator"),
        ):  # fmt: skip
            headers = {**service.sign_in(user, agency, role), "Accept": "application/json"}
            answers[user] = (await service.client.get(page, headers=headers)).status_code
        assert {user for user, status in answers.items() if status == 200} == {"kacho", "kansa", "chosei"}
        assert {status for user, status in answers.items() if user not in ("kacho", "kansa", "chosei")} == {404}
        again = msgspec.structs.replace(
            issued, revision=2, audience_revision=2, received_at=issued.received_at + dt.timedelta(days=1)
        )
        assert (await service.stored(again)).keys() == found.keys()


@pytest.mark.parametrize(("event", "pages"), [(ISSUED, 1), (long(), 15)], ids=["short", "long"])
async def test_it_has_the_pages_it_should(tmp_path: Path, event: ReportIssued, pages: int) -> None:
    """LibreOffice comes to its end with much; with little it is a page."""
    path = tmp_path / "sheet.pdf"
    path.write_bytes(await Converter("soffice", tmp_path).convert(rendered(event)))
    found = len(pypdf.PdfReader(path).pages)
    assert found == pages if pages == 1 else found >= pages
