"""Everything that intake answers over HTTP."""

from __future__ import annotations

from litestar import get
from litestar.response import Redirect

from tsunagi_intake import (
    case_routes,
    form_routes,
    meeting_routes,
    minutes_routes,
    plan_routes,
    record_routes,
    referral_routes,
    report_routes,
    resource_routes,
    retention_routes,
    year_pages,
)
from tsunagi_shared.auth import staff


@get("/", guards=[staff], include_in_schema=False)
async def home() -> Redirect:
    """The first page of the service is the list of cases."""
    return Redirect("/cases", status_code=303)


ROUTES = (
    home,
    *referral_routes.ROUTES,
    *record_routes.ROUTES,
    *case_routes.ROUTES,
    *form_routes.ROUTES,
    *plan_routes.ROUTES,
    *meeting_routes.ROUTES,
    *minutes_routes.ROUTES,
    *retention_routes.ROUTES,
    *year_pages.ROUTES,
    *resource_routes.ROUTES,
    *report_routes.ROUTES,
)
