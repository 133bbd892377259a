"""How the sandbox's Simpl facade says no: problem details (RFC 7807) with Simpl's types."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

_TITLES = {
    400: "Invalid payload",
    401: "Unauthorized",
    404: "Not found",
    406: "Not Acceptable",
    409: "Conflict",
    500: "Internal Server Error",
}


def problem(request: Request, status: int, kind: str, detail: str) -> JSONResponse:
    """Return one problem."""
    body = {
        "type": f"urn:problem-type:simpl:{kind}",
        "title": _TITLES[status],
        "status": status,
        "detail": detail,
        "instance": str(request.url.replace(query="")),
    }
    return JSONResponse(body, status_code=status, media_type="application/problem+json")
