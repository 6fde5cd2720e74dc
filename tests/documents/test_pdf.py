"""LibreOffice: real conversions, killed conversions, and nothing left behind."""

from __future__ import annotations

import asyncio
import http.server
import io
import os
import signal
import stat
import threading
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pypdf
import pypdf.generic
import pytest

from tests.documents.sample_referrals import LONG_FORM, SHORT_FORM, submitted
from tsunagi_documents.kinds import ASSESSMENT_DRAFT, ASSESSMENT_SHEET, REFERRAL_SHEET
from tsunagi_documents.pdf import ConversionFailed, Converter, socket_of
from tsunagi_documents.sheets import sheet_context, sheet_marks
from tsunagi_documents.word.draw import FOLDER
from tsunagi_documents.word.drawing import note, package
from tsunagi_documents.word.render import render_word
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import ReferralSubmitted

SMALL = package([note("見本")], footer_left="", footer_right="")


@pytest.fixture
def converter(tmp_path: Path) -> Iterator[Converter]:
    """A converter in a folder of its own; after the test no process of it runs and no paper lies there."""
    folder = tmp_path / "private"
    yield Converter("soffice", folder)
    assert processes_of(folder) == []
    assert list((folder / "work").glob("*")) == []
    assert not socket_of(folder / "profile").exists()


def processes_of(folder: Path) -> list[str]:
    """The command lines, zombies excepted, that name the folder."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = command.read_bytes()
        except OSError:
            continue
        if bytes(folder) in line:
            found.append(line.decode(errors="replace"))
    return found


def sheet(event: ReferralSubmitted, kind: str) -> bytes:
    """The Word sheet as the service makes it."""
    template = (FOLDER / f"{ASSESSMENT_DRAFT if kind == ASSESSMENT_SHEET else kind}.docx").read_bytes()
    return render_word(
        template,
        sheet_context(event, kind, View.FULL, (), (), event.support_meeting_only),
        marks=sheet_marks(event.support_meeting_only),
        title="共通様式",
    )


def page_texts(pdf: bytes) -> list[str]:
    """The text of each page without spaces and line ends."""
    return ["".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


def dictionary(found: object) -> pypdf.generic.DictionaryObject:
    """The dictionary behind a reference."""
    value = found.get_object() if isinstance(found, pypdf.generic.PdfObject) else None
    assert isinstance(value, pypdf.generic.DictionaryObject)
    return value


def fonts(pdf: bytes) -> list[pypdf.generic.DictionaryObject]:
    """The fonts of all pages."""
    found = []
    for page in pypdf.PdfReader(io.BytesIO(pdf)).pages:
        resources = dictionary(page["/Resources"])
        found += [dictionary(font) for font in dictionary(resources["/Font"]).values()]
    return found


async def under_way(folder: Path) -> None:
    """Wait until LibreOffice has opened its socket, which is well before it has made a PDF."""
    while not socket_of(folder / "profile").exists():
        await asyncio.sleep(0.01)


async def test_a_sheet_becomes_a_pdf_a_person_can_file(converter: Converter) -> None:
    """Marks, 和暦, page n/m and document number on its pages, fonts inside, a title that names nobody."""
    pdf = await converter.convert(sheet(submitted(SHORT_FORM, support_meeting_only=True), REFERRAL_SHEET))
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    pages = page_texts(pdf)
    assert len(pages) == 2
    for number, text in enumerate(pages, start=1):
        assert "取扱注意" in text
        assert "支援会議限り" in text
        assert f"{number}/{len(pages)}" in text
        assert "R8-00012" in text
    assert "令和8年11月23日10時32分" in pages[0]
    assert "昭和30年4月1日（71歳）" in pages[0]
    assert "見本太郎" in pages[0]
    assert reader.metadata is not None
    assert reader.metadata.title == "共通様式"
    assert reader.metadata.author in (None, "")
    assert str(dictionary(reader.trailer["/Root"])["/Lang"]) == "ja-JP"
    width, height = reader.pages[0].mediabox.width, reader.pages[0].mediabox.height
    assert (round(width), round(height)) == (595, 842)  # A4 in points
    for font in fonts(pdf):
        assert "/FontFile2" in dictionary(font["/FontDescriptor"])


async def test_the_longest_form_loses_nothing_on_paper(converter: Converter) -> None:
    """4,000 characters, 20 people, rare characters: all of it is on the pages, in a font that has them."""
    pdf = await converter.convert(sheet(submitted(LONG_FORM), ASSESSMENT_SHEET))
    text = "".join(page_texts(pdf))
    for rare in "髙﨑𠮷邉":
        assert rare in text
    assert unicodedata.normalize("NFC", "\ufa10") in text or "\ufa10" in text  # the PDF may name the unified character
    assert "{{7*7}}{%raw%}{_{}_}<&>" in text
    assert text.count("※") == LONG_FORM.consultation.count("※")
    assert all(f"{number}" in text for number in range(20))
    assert text.count("二男の妻の母") == 20
    assert "IPAmjMincho" in {str(font["/BaseFont"]).partition("+")[2] for font in fonts(pdf)}


async def test_a_killed_libreoffice_leaves_nothing_and_the_next_conversion_works(
    converter: Converter, tmp_path: Path
) -> None:
    """pdf-crashed, no process, no papers; then a PDF."""
    conversion = asyncio.create_task(converter.convert(SMALL))
    await under_way(tmp_path / "private")
    assert converter.process_id is not None
    os.kill(converter.process_id, signal.SIGKILL)
    with pytest.raises(ConversionFailed) as failure:
        await conversion
    assert failure.value.code == "pdf-crashed"
    assert processes_of(tmp_path) == []
    assert (await converter.convert(SMALL)).startswith(b"%PDF")


async def test_a_conversion_out_of_time_is_killed(tmp_path: Path) -> None:
    """The budget ends the whole process group; the wait for a turn does not count."""
    converter = Converter("soffice", tmp_path, budget_seconds=0.2)
    results = await asyncio.gather(converter.convert(SMALL), converter.convert(SMALL), return_exceptions=True)
    assert [getattr(result, "code", None) for result in results] == ["pdf-timeout", "pdf-timeout"]
    assert processes_of(tmp_path) == []
    assert list((tmp_path / "work").iterdir()) == []


async def test_a_cancelled_conversion_is_killed(converter: Converter, tmp_path: Path) -> None:
    """Shutting down in the middle of a conversion leaves no process and no papers."""
    conversion = asyncio.create_task(converter.convert(SMALL))
    await under_way(tmp_path / "private")
    conversion.cancel()
    with pytest.raises(asyncio.CancelledError):
        await conversion
    assert processes_of(tmp_path) == []


async def test_papers_of_a_killed_service_are_removed_at_the_next_start(tmp_path: Path) -> None:
    """What a conversion left when the service was killed does not stay."""
    left = tmp_path / "work" / "left"
    left.mkdir(parents=True)
    (left / "document.docx").write_bytes(SMALL)
    Converter("soffice", tmp_path)
    assert not left.exists()


async def test_the_private_folder_is_private(tmp_path: Path) -> None:
    """Nobody else on the machine may look in; a missing LibreOffice is said as such."""
    folder = tmp_path / "private"
    converter = Converter("no-such-program", folder)
    with pytest.raises(ConversionFailed) as failure:
        await converter.convert(SMALL)
    assert failure.value.code == "pdf-missing"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "work")] == [0o700, 0o700]


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", "pdf-missing"), (": > 0.pdf", "pdf-empty"), ("exit 3", "pdf-crashed")]
)
async def test_a_converter_that_makes_no_pdf_is_not_believed(tmp_path: Path, script: str, code: str) -> None:
    """No file, an empty file, a failure status: each has its code."""
    program = tmp_path / "office"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(ConversionFailed) as failure:
        await Converter(str(program), tmp_path / "private").convert(SMALL)
    assert failure.value.code == code


async def test_version_says_which_libreoffice(converter: Converter) -> None:
    """The version is recorded with what it made."""
    assert (await converter.version()).startswith("LibreOffice ")


async def test_nothing_outside_is_fetched(converter: Converter) -> None:
    """A picture linked from a server is not asked for."""
    asked: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_OPTIONS = do_PROPFIND = do_GET  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            pdf = await converter.convert(linked_picture(f"http://127.0.0.1:{server.server_port}/picture.png"))
        finally:
            server.shutdown()
            thread.join()
    assert pdf.startswith(b"%PDF")
    assert asked == []


def linked_picture(address: str) -> bytes:
    """A Word file whose one picture is linked, not held."""
    drawing = (
        '<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing">'
        '<wp:extent cx="900000" cy="900000"/><wp:docPr id="1" name="picture"/>'
        '<a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
        '<a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/picture">'
        '<pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture">'
        '<pic:nvPicPr><pic:cNvPr id="1" name="picture"/><pic:cNvPicPr/></pic:nvPicPr>'
        '<pic:blipFill><a:blip r:link="rId99"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>'
        '<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="900000" cy="900000"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic>'
        "</wp:inline></w:drawing></w:r></w:p>"
    )
    relationship = (
        '<Relationship Id="rId99" TargetMode="External" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" '
        f'Target="{address}"/>'
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SMALL)) as source, zipfile.ZipFile(packed, "w") as target:
        for name in source.namelist():
            content = source.read(name).decode()
            if name == "word/document.xml":
                content = content.replace("<w:sectPr>", f"{drawing}<w:sectPr>")
                assert "rId99" in content
            elif name == "word/_rels/document.xml.rels":
                content = content.replace("</Relationships>", f"{relationship}</Relationships>")
            target.writestr(name, content)
    return packed.getvalue()


async def test_what_waits_goes_in_together_and_each_gets_its_own(tmp_path: Path) -> None:
    """Five files take two starts of LibreOffice, and every PDF is that of its file."""
    counted = tmp_path / "office"
    counted.write_text(f'#!/bin/sh\necho started >> {tmp_path}/starts\nexec soffice "$@"\n')
    counted.chmod(0o755)
    converter = Converter(str(counted), tmp_path / "private")
    await converter.convert(SMALL)  # the first start makes the profile, and may start again for it
    (tmp_path / "starts").write_text("")
    words = [package([note(f"見本{number}")], footer_left="", footer_right="") for number in range(5)]
    pdfs = await asyncio.gather(*(converter.convert(word) for word in words))
    assert [page_texts(pdf)[0][: len("見本0")] for pdf in pdfs] == [f"見本{number}" for number in range(5)]
    assert len((tmp_path / "starts").read_text().splitlines()) <= 2
    assert processes_of(tmp_path) == []


async def test_a_file_that_cannot_be_converted_fails_by_itself(converter: Converter) -> None:
    """The others that went in with it have their PDF."""
    broken = SMALL[: len(SMALL) // 2]
    results = await asyncio.gather(
        *(converter.convert(word) for word in (SMALL, broken, SMALL)), return_exceptions=True
    )
    assert [isinstance(result, bytes) for result in results] == [True, False, True]
    assert isinstance(results[1], ConversionFailed)


async def test_who_waits_no_longer_is_left_out(converter: Converter, tmp_path: Path) -> None:
    """A cancelled conversion takes nobody else along, whether it was first or waited."""
    tasks = [asyncio.create_task(converter.convert(SMALL)) for _ in range(4)]
    await under_way(tmp_path / "private")
    for task in (tasks[0], tasks[2]):
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, bytes) for result in results] == [False, True, False, True]
