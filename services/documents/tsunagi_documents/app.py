"""The declaration of the documents service: what it adds to the frame that every service runs in."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tsunagi_documents import evidence_routes, routes
from tsunagi_documents.closing import doors_of
from tsunagi_documents.engine import Engine, RenderFailed
from tsunagi_documents.erasing import SWEEP, sweeping
from tsunagi_documents.handlers import handlers_for
from tsunagi_documents.objects import Bucket
from tsunagi_documents.pdf import Converter
from tsunagi_documents.settings import DocumentsSettings
from tsunagi_documents.versions import Making, packaged_templates
from tsunagi_shared.runtime import Parts, Runtime
from tsunagi_shared.service import Service


def parts(runtime: Runtime) -> Parts:
    """The service's own resources, opened and not started. SettingsError when the bucket's keys cannot be read."""
    settings = runtime.settings
    assert isinstance(settings, DocumentsSettings)
    bucket = Bucket(settings)
    engine = Engine()
    converter = Converter(settings.soffice, settings.private_folder)
    doors = doors_of(runtime)
    making = Making(runtime, doors, bucket, engine, converter, packaged_templates(), with_pdf=settings.pdf == "eager")

    async def start() -> None:
        with contextlib.suppress(RenderFailed):  # tried again at the first render, where the job shows the reason
            await engine.start()

    async def stop() -> None:
        await engine.stop()
        bucket.close()

    return Parts(
        handlers=handlers_for(runtime.profile, doors),
        jobs={**making.kinds(), SWEEP: sweeping(bucket)},
        start=start,
        stop=stop,
        checks={"bucket": bucket.problem},
        own=bucket,
    )


SERVICE = Service(
    name="documents",
    title="文書",
    folder=Path(__file__).parent,
    settings=DocumentsSettings,
    routes=(*routes.ROUTES, *evidence_routes.ROUTES),
    parts=parts,
    shows_audit=True,
)
