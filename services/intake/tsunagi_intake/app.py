"""The declaration of intake."""

from __future__ import annotations

from pathlib import Path

from tsunagi_intake.handlers import HANDLERS
from tsunagi_intake.routes import ROUTES
from tsunagi_intake.settings import IntakeSettings
from tsunagi_shared.runtime import Parts, Runtime
from tsunagi_shared.service import Service


def parts(runtime: Runtime) -> Parts:
    """Intake keeps projections and takes forms; it has no slow work of its own."""
    return Parts(handlers=HANDLERS)


SERVICE = Service(
    name="intake",
    title="受付",
    folder=Path(__file__).parent,
    settings=IntakeSettings,
    routes=ROUTES,
    parts=parts,
)
