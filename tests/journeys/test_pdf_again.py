"""A PDF that cannot be made, and 「再作成」."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.data.referrals import without_consent
from tests.journeys.line import Line


@contextlib.contextmanager
def without_office(line: Line) -> Iterator[None]:
    """As before LibreOffice is installed."""
    line.stack.remove_office()
    try:
        yield
    finally:
        line.stack.install_office()


def test_a_pdf_that_could_not_be_made_is_made_again(line: Line) -> None:
    """Without LibreOffice the Word files are there and told, the PDFs are shown as failed; 「再作成」 makes just them."""
    with without_office(line):
        receipt = line.hand_in(without_consent())
        failed = line.case_until(receipt, lambda found: [row["pdf"] for row in found] == ["failed", "failed"])
    assert {(row["word"], row["pdf_code"]) for row in failed} == {("stored", "pdf-missing")}
    case = f"/cases/{receipt['case_number']}"
    page = line.visitor("mado").page("intake", case)
    assert page.count("PDFを作成できませんでした") == 2
    assert page.count(">文書を開く<") == 1  # the origin reads its own sheet, and not what the provider alone gets
    document = line.documents_of(receipt, "kacho")[0]
    address = f"/documents/{document['id']}/versions/1"
    word = line.visitor("kacho").file(f"{address}/docx")
    line.visitor("mado").press("intake", case, "再作成")
    line.made(receipt, 2)
    assert line.visitor("kacho").file(f"{address}/pdf").startswith(b"%PDF")
    assert line.visitor("kacho").file(f"{address}/docx") == word
    assert line.mailed_about(receipt) == ["social-welfare@example.jp", *["welfare-desk@example.jp"] * 2]
