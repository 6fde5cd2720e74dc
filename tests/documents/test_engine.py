"""The engine: what comes out is what was typed, and no template gets out of it."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from docx import Document

from tests.documents.sample_referrals import RARE, TYPED, submitted
from tsunagi_documents.engine import Engine, RenderFailed
from tsunagi_documents.kinds import REFERRAL_SHEET
from tsunagi_documents.sheets import sheet_context
from tsunagi_documents.word.draw import FOLDER
from tsunagi_documents.word.drawing import note, package
from tsunagi_documents.word.render import render_word
from tsunagi_shared.contracts.audience import View

PLAIN = package([note("{{ text }}")], footer_left="", footer_right="")
ENDLESS = package(
    [note("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")],
    footer_left="",
    footer_right="",
)


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """An engine with a short budget, stopped after the test."""
    engine = Engine(budget_seconds=2.0, memory_bytes=512 << 20)
    await engine.start()
    yield engine
    await engine.stop()
    assert engine.worker_id is None


def with_part(word: bytes, name: str, old: str, new: str) -> bytes:
    """The package with a text replaced in one part."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word)) as source, zipfile.ZipFile(packed, "w") as target:
        for entry in source.namelist():
            content = source.read(entry)
            if entry == name:
                assert old.encode() in content
                content = content.replace(old.encode(), new.encode())
            target.writestr(entry, content)
    return packed.getvalue()


def text_of(word: bytes) -> str:
    """The text of the body's paragraphs."""
    return "\n".join(paragraph.text for paragraph in Document(io.BytesIO(word)).paragraphs)


def alive(process_id: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


async def gone(process_id: int) -> bool:
    """Whether the process ends within five seconds."""
    for _ in range(100):
        if not alive(process_id):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_what_was_typed_is_what_is_written(engine: Engine) -> None:
    """Rare characters, markup, template-like text, spaces and line breaks come through unchanged."""
    typed = f"  {RARE}\n{TYPED}\n\n  末尾  "
    assert text_of(await engine.render(PLAIN, {"text": typed})) == typed


async def test_same_input_gives_same_bytes(engine: Engine) -> None:
    """The worker and a plain call in this process agree to the byte, at any time."""
    template = (FOLDER / "referral_sheet.docx").read_bytes()
    context = sheet_context(submitted(), REFERRAL_SHEET, View.FULL, (), (), False)
    first = await engine.render(template, context, marks=("取扱注意",), title="共通様式")
    assert first == await engine.render(template, context, marks=("取扱注意",), title="共通様式")
    assert first == render_word(template, context, marks=("取扱注意",), title="共通様式")


async def test_renders_at_once_keep_their_own_answers(engine: Engine) -> None:
    """Callers take turns; each gets the file made of its own data."""
    words = await asyncio.gather(*(engine.render(PLAIN, {"text": f"その{number}"}) for number in range(20)))
    assert [text_of(word) for word in words] == [f"その{number}" for number in range(20)]


@pytest.mark.parametrize("expression", ["{{ lipsum.__globals__ }}", "{{ ''.__class__ }}", "{{ text.__init__ }}"])
@pytest.mark.parametrize("place", ["body", "footer", "header", "title"])
def test_templates_cannot_reach_out_of_the_sandbox(expression: str, place: str) -> None:
    """Attributes that lead into Python are refused in the body, in headers and footers and in the file's properties."""
    if place == "body":
        template = package([note(expression)], footer_left="", footer_right="")
    elif place == "footer":
        template = package([note("")], footer_left=expression, footer_right="")
    elif place == "header":
        run = f"<w:r><w:t>{expression}</w:t></w:r>"
        template = with_part(PLAIN, "word/header1.xml", "</w:p>", f"{run}</w:p>")
    else:
        title = f"<dc:title>{expression}</dc:title>"
        template = with_part(PLAIN, "docProps/core.xml", "<dc:language>", f"{title}<dc:language>")
    with pytest.raises(RenderFailed) as failure:
        render_word(template, {"text": "見本"})
    assert failure.value.code == "template-error"


async def test_a_missing_name_is_refused(engine: Engine) -> None:
    """A template that asks for what the data does not hold is never rendered with a hole in it."""
    with pytest.raises(RenderFailed) as failure:
        await engine.render(PLAIN, {"other": "x"})
    assert failure.value.code == "missing-name"
    assert text_of(await engine.render(PLAIN, {"text": "次"})) == "次"


@pytest.mark.parametrize("template", [b"", b"PK broken", package([note("{% if %}")], footer_left="", footer_right="")])
def test_a_broken_template_is_refused(template: bytes) -> None:
    """What is no Word file, or no template, gives a code and nothing else."""
    with pytest.raises(RenderFailed) as failure:
        render_word(template, {})
    assert failure.value.code == "template-error"
    assert failure.value.__cause__ is None


async def test_a_render_out_of_time_kills_the_worker_and_the_next_one_works(engine: Engine) -> None:
    """An endless template costs its budget, not the service."""
    worker = engine.worker_id
    assert worker is not None
    with pytest.raises(RenderFailed) as failure:
        await engine.render(ENDLESS, {})
    assert failure.value.code == "render-timeout"
    assert not alive(worker)
    assert text_of(await engine.render(PLAIN, {"text": "次"})) == "次"
    assert engine.worker_id != worker


async def test_a_render_out_of_memory_crashes_the_worker_only(engine: Engine) -> None:
    """A template that blows up hits the worker's own limit."""
    bomb = package([note("{{ 'a' * 2000000000 }}")], footer_left="", footer_right="")
    with pytest.raises(RenderFailed) as failure:
        await engine.render(bomb, {})
    assert failure.value.code == "render-crashed"
    assert text_of(await engine.render(PLAIN, {"text": "次"})) == "次"


async def test_a_killed_worker_is_replaced(engine: Engine) -> None:
    """Killed in the middle: that render fails. Killed while idle: nobody notices."""
    worker = engine.worker_id
    assert worker is not None
    rendering = asyncio.create_task(engine.render(ENDLESS, {}))
    await asyncio.sleep(0.2)
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(RenderFailed) as failure:
        await rendering
    assert failure.value.code == "render-crashed"
    assert text_of(await engine.render(PLAIN, {"text": "次"})) == "次"
    idle = engine.worker_id
    assert idle is not None
    os.kill(idle, signal.SIGKILL)
    assert await gone(idle)
    await asyncio.sleep(0.05)
    assert text_of(await engine.render(PLAIN, {"text": "その次"})) == "その次"


async def test_a_cancelled_render_does_not_answer_the_next_caller(engine: Engine) -> None:
    """What the worker was still making is dropped with the worker."""
    rendering = asyncio.create_task(engine.render(ENDLESS, {}))
    await asyncio.sleep(0.2)
    rendering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rendering
    assert text_of(await engine.render(PLAIN, {"text": "次"})) == "次"


async def test_an_idle_worker_uses_no_processor_time(engine: Engine) -> None:
    """Waiting for orders is a blocked read."""

    def ticks() -> list[str]:
        return Path(f"/proc/{engine.worker_id}/stat").read_text().rpartition(")")[2].split()[11:13]

    await engine.render(PLAIN, {"text": "x"})
    await asyncio.sleep(0.2)
    before = ticks()
    await asyncio.sleep(0.5)
    assert ticks() == before


async def test_the_worker_ends_with_its_service() -> None:
    """A service killed without a word leaves no worker behind, not even one that is busy."""
    script = (
        "import asyncio, sys\n"
        "from tests.documents.test_engine import ENDLESS\n"
        "from tsunagi_documents.engine import Engine\n"
        "async def main():\n"
        "    engine = Engine(budget_seconds=60)\n"
        "    await engine.start()\n"
        "    print(engine.worker_id, flush=True)\n"
        "    await engine.render(ENDLESS, {})\n"
        "asyncio.run(main())\n"
    )
    service = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env={"PYTHONPATH": ":".join(["", *sys.path])}
    )
    with service:
        assert service.stdout is not None
        worker = int(await asyncio.to_thread(service.stdout.readline))
        await asyncio.sleep(0.2)
        assert alive(worker)
        service.kill()
    assert await gone(worker)


def test_marks_stand_on_every_page_whatever_the_template_says() -> None:
    """A template with its own first-page and even headers, in two sections, or with none, carries the marks on all pages."""
    document = Document()
    document.settings.odd_and_even_pages_header_footer = True
    document.sections[0].different_first_page_header_footer = True
    document.add_section().different_first_page_header_footer = True
    document.sections[1].header.is_linked_to_previous = False
    document.sections[1].header.paragraphs[0].text = "別の見出し"
    saved = io.BytesIO()
    document.save(saved)
    word = Document(io.BytesIO(render_word(saved.getvalue(), {}, marks=("取扱注意", "支援会議限り"))))
    for section in word.sections:
        for header in (section.header, section.first_page_header, section.even_page_header):
            assert re.findall("取扱注意|支援会議限り", header.paragraphs[0].text) == ["取扱注意", "支援会議限り"]
    assert word.sections[1].header.paragraphs[1].text == "別の見出し"


def test_file_properties_name_nobody() -> None:
    """Author, editor and dates of the template do not come along; the title is the one given."""
    document = Document()
    document.core_properties.author = "様式を作った人"
    document.core_properties.last_modified_by = "様式を直した人"
    saved = io.BytesIO()
    document.save(saved)
    properties = Document(io.BytesIO(render_word(saved.getvalue(), {}, title="共通様式"))).core_properties
    assert (properties.author, properties.last_modified_by, properties.title) == ("", "", "共通様式")
    assert properties.created == properties.modified
    assert properties.language == "ja-JP"
