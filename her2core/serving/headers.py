"""The headers of every answer: what a page may load, who may frame it, what is kept where.

The content security policy allows what Streamlit's front end needs: scripts from this server, and
those it makes itself from what the server sent (`blob:`, components); inline styles; pictures as
data. Charts of Vega (`st.altair_chart` and its like) would need 'unsafe-eval' and stay empty.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

Headers = list[tuple[bytes, bytes]]

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def inline_hashes(page: Path) -> tuple[str, ...]:
    """The sources by which a policy allows the inline scripts of a page, "'sha256-…'" each."""
    scripts = _INLINE.findall(page.read_text(encoding="utf-8"))
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    return tuple(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def fixed(inline: Iterable[str]) -> Headers:
    """The headers that every answer carries.

    Args:
        inline: sources of the page's inline scripts, see `inline_hashes`.
    """
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", "blob:", *inline]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' blob:",
        "font-src": "'self' data:",
        "connect-src": "'self' data: blob:",
        "worker-src": "'self' blob:",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-src": "'none'",
        "frame-ancestors": "'none'",
        "object-src": "'none'",
    }
    values = {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }
    return [(name.encode(), value.encode()) for name, value in values.items()]


def dressed(
    headers: Iterable[tuple[bytes, bytes]],
    always: Headers,
    *,
    secure: bool,
    private: bool,
    cookie: str | None,
) -> Headers:
    """An answer's headers as they leave the server.

    Args:
        headers: as the application gave them.
        always: of `fixed`; what the application says of the same name is dropped.
        secure: the browser came by TLS: no cookie may travel without it.
        private: the answer is nothing to keep, on no disk.
        cookie: one to set, "name=value".
    """
    own = {name for name, _ in always} | ({b"cache-control"} if private else set())
    kept = [(name, value) for name, value in headers if name.lower() not in own]
    if private:
        kept.append((b"cache-control", b"no-store"))
    if cookie is not None:
        kept.append((b"set-cookie", f"{cookie}; Path=/; HttpOnly; SameSite=Lax".encode()))
    if secure:
        kept = [(name, _secured(value) if _is_cookie(name) else value) for name, value in kept]
    return kept + always


def _is_cookie(name: bytes) -> bool:
    return name.lower() == b"set-cookie"


def _secured(cookie: bytes) -> bytes:
    attributes = {part.strip().lower() for part in cookie.split(b";")[1:]}
    return cookie if b"secure" in attributes else cookie + b"; Secure"
