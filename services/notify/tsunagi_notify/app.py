"""The declaration of notify: what it adds to the frame that runs every service."""

from __future__ import annotations

from pathlib import Path

from tsunagi_notify import routes, settings
from tsunagi_notify.channels.email import EmailChannel
from tsunagi_notify.deliveries import EMAIL_JOB, Deliveries
from tsunagi_notify.directory import Directory
from tsunagi_notify.handlers import handlers
from tsunagi_notify.receipts import Receipts
from tsunagi_notify.settings import NotifySettings
from tsunagi_shared.contracts.profile import load_contacts
from tsunagi_shared.runtime import Parts, Runtime
from tsunagi_shared.service import Service


def parts(runtime: Runtime) -> Parts:
    """Handlers, the e-mail jobs, and what the routes need. ProfileError (contacts.toml), SettingsError."""
    assert isinstance(runtime.settings, NotifySettings)
    settings.check(runtime.settings)
    directory = Directory(runtime.profile, load_contacts(runtime.settings.profile, runtime.profile))
    deliveries = Deliveries(runtime.outbox, directory)
    channel = EmailChannel(runtime.database, deliveries, directory, runtime.settings)
    return Parts(
        handlers=handlers(deliveries),
        jobs={EMAIL_JOB: channel.job_kind()},
        stop=channel.mailer.stop,
        notes={"mail": lambda: channel.mailer.problem},
        own=routes.Resources(directory, deliveries, Receipts(runtime.outbox, directory), channel.mailer),
    )


SERVICE = Service(
    name="notify",
    title="お知らせ",
    folder=Path(__file__).parent,
    settings=NotifySettings,
    routes=routes.ROUTES,
    parts=parts,
)
