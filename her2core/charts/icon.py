"""The picture in the browser's tab: a nucleus in a stained membrane.

Streamlit has icons of its own for this, but a browser would fetch them from another host. As SVG
it travels within the page: the sign-in page needs no image address that anybody may ask for.
"""

from __future__ import annotations

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">'
    '<circle cx="128" cy="128" r="96" fill="#f6e7d6" stroke="#9a5a22" stroke-width="40"/>'
    '<circle cx="128" cy="128" r="44" fill="#3f62a8"/></svg>'
)
