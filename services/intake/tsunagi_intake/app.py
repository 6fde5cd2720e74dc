"""The declaration of intake."""

from __future__ import annotations

from pathlib import Path

from tsunagi_intake import erasure
from tsunagi_intake.expiry import Clockwork
from tsunagi_intake.handlers import HANDLERS
from tsunagi_intake.routes import ROUTES
from tsunagi_intake.settings import IntakeSettings
from tsunagi_shared.runtime import Parts, Runtime
from tsunagi_shared.service import Service


def parts(runtime: Runtime) -> Parts:
    """Intake keeps projections and takes forms; its own work is the clockwork, and erasing what was disposed of."""
    clockwork = Clockwork(runtime)
    return Parts(
        handlers=HANDLERS,
        jobs=erasure.job_kinds(runtime),
        published=erasure.remember,
        start=clockwork.start,
        stop=clockwork.stop,
        notes={"clockwork": clockwork.problem},
    )


SERVICE = Service(
    name="intake",
    title="受付",
    folder=Path(__file__).parent,
    settings=IntakeSettings,
    routes=ROUTES,
    parts=parts,
    shows_audit=True,
)
