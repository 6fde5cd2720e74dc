"""A sitting with 30 items and 25 participants: from its convening until every notice is stored and sent; all three services.

30 cases of one municipality, each with a consent that names every agency called, an assessment and a plan that waits for the
sitting; one person from each of 25 agencies. So everybody hears every item, and 750 places are looked at: more than a sitting
with people who leave would ask of anybody. What is made ready before is not measured.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local.stack import Stack
from tests.bench.observing import rows_of, until
from tests.faults.line import at_rest
from tests.scenarios.cases import taken_up
from tests.scenarios.plans import CasePlan, part
from tests.scenarios.sittings import LAYERED, Sitting
from tests.scenarios.story import Story

ITEMS = 30
PARTICIPANTS = 25
SITTINGS = 3
REST_SECONDS = 300.0  # the most that what is made ready may take
PROFILE = "kurume"  # the one with the most agencies
WINDOW, COORDINATOR, PROVIDER, DESTINATION = "mado", "tsunagu", "multi-agency", "participation"
_WORDS = "SELECT count(*), max(v.made_at) FROM documents d JOIN versions v ON v.document_id = d.id WHERE d.form = ?"
_PDFS = (
    "SELECT count(*), max(f.made_at) FROM documents d JOIN files f ON f.document_id = d.id "
    "WHERE d.form = ? AND f.format = 'pdf' AND f.state = 'stored'"
)
_MAILED = (
    "SELECT count(*) FROM deliveries WHERE kind = 'meeting_notice' AND channel = 'email' AND state = 'sent' "
    "AND announced_at >= CAST(? AS INTEGER)"
)

Heard = list[tuple[str, str]]  # the number of each case and of its plan


async def measure_sittings(
    folder: Path, say: Callable[[str], None], *, items: int = ITEMS, participants: int = PARTICIPANTS
) -> dict[str, Any]:
    """Medians in ms of three sittings without PDF, and the times of one with it. VisitError, TimeoutError."""
    async with Story(folder, folder / "saved", PROFILE, pdf="off", say=say) as story:
        agencies = [agency.id for agency in story.stack.load_profile().agencies if agency.id != PROVIDER]
        called = agencies[:participants]
        heard = [await _case(story, called) for _ in range(items)]
        await at_rest(story.stack, REST_SECONDS)
        without = [await _convened(story, heard, called) for _ in range(SITTINGS)]
        # The same line again with PDF: what was made ready stays as it is
        await story.stack.stop()
        story.stack = Stack(story.stack.folder, profile=PROFILE, pdf="eager")
        await story.stack.start()
        with_pdf = await _convened(story, heard, called)
    result: dict[str, Any] = {
        "items": items, "participants": len(called), "places": items * len(called), "sittings": SITTINGS,
        "pdf_off": {name: round(statistics.median(times[name] for times in without), 1) for name in without[0]},
        "pdf_off_each": without,
        "pdf_on": with_pdf,
    }  # fmt: skip
    say(f"  PDFなし：{_line(result['pdf_off'], len(called))}（{SITTINGS}回の中央値）")
    say(f"  PDFあり：{_line(with_pdf, len(called))}、PDFの保管まで {with_pdf['pdf_stored_ms'] / 1000:.1f} 秒（1回）")
    return result


def _line(times: dict[str, float], notices: int) -> str:
    return (
        f"招集の下調べ {times['dry_run_ms']:.0f} ms、招集の答え {times['answer_ms']:.0f} ms、"
        f"招集通知{notices}通のWordの保管まで {times['word_stored_ms']:.0f} ms、"
        f"メールの受け渡しまで {times['mail_accepted_ms']:.0f} ms"
    )


async def _case(story: Story, called: list[str]) -> tuple[str, str]:
    """A case that everybody called may hear, with a plan that waits for a meeting."""
    case = await taken_up(story, WINDOW, COORDINATOR, (DESTINATION,), (PROVIDER, *called))
    plan = await CasePlan.drawn_up(
        story, COORDINATOR, case, "multi_agency", part(PROVIDER, "全体の調整。"), part(DESTINATION, "居場所へつなぐ。")
    )
    return case, plan.number


async def _filled(story: Story, heard: Heard, called: list[str]) -> Sitting:
    """A sitting today with all of them on its agenda and somebody of each agency called."""
    sitting = await Sitting.planned(story, COORDINATOR, LAYERED)
    for case, plan in heard:
        await sitting.item(LAYERED, case, "adopt", plan)
    for number, agency in enumerate(called, 1):
        member = {"agency": agency, "name": f"見本　出席{number}", "title": "係長", "attends": True}
        (await sitting.post("members", member)).made()
    return sitting


async def _convened(story: Story, heard: Heard, called: list[str]) -> dict[str, float]:
    """One sitting convened: its times in ms. Who convenes gets no mail; every other notice goes to an agency of its own."""
    stack = story.stack
    sitting = await _filled(story, heard, called)
    await at_rest(stack, REST_SECONDS)
    begun = time.perf_counter()
    outlook = await sitting.outlook()
    dry_run = time.perf_counter() - begun
    hears = [member["hears"] for item in outlook["items"] for member in item["members"]]
    story.must(outlook["ready"] and hears == [True] * len(heard) * len(called), "全員が、すべての議題に出る")
    mails = len(stack.mail.mails())
    moment, begun = time.time_ns(), time.perf_counter()
    (await sitting.post(f"convening?revision={outlook['revision']}")).made()
    answer = time.perf_counter() - begun
    form, since, notices = f"meeting/{sitting.id}", str(moment // 1000), len(called)
    await until(lambda: rows_of(stack, "notify", _MAILED, since)[0][0] >= notices, "the mails", seconds=120)
    if stack.pdf != "off":
        await until(lambda: rows_of(stack, "documents", _PDFS, form)[0][0] >= notices, "the PDFs", seconds=600)
    await at_rest(stack, REST_SECONDS)
    taken = stack.mail.mails()[mails:]
    stored, word_stored = rows_of(stack, "documents", _WORDS, form)[0]
    counted = (stored, len(taken), rows_of(stack, "notify", _MAILED, since)[0][0])
    story.must(counted == (notices,) * 3, f"招集通知もメールも{notices}通ずつ：{counted}")
    ends = {"word_stored_ms": word_stored * 1000, "mail_accepted_ms": max(path.stat().st_mtime_ns for path in taken)}
    if stack.pdf != "off":
        ends["pdf_stored_ms"] = rows_of(stack, "documents", _PDFS, form)[0][1] * 1000
    times = {"dry_run_ms": dry_run * 1000, "answer_ms": answer * 1000}
    times |= {name: (end - moment) / 1e6 for name, end in ends.items()}
    return {name: round(value, 1) for name, value in times.items()}
