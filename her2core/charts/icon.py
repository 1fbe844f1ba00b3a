"""The picture in the browser's tab: a nucleus in a stained membrane.

Streamlit has icons of its own for this, but a browser would fetch them from another host. As SVG
it travels within the page: the sign-in page needs no image address that anybody may ask for.
"""

from her2core.common.palette import ICON_CELL, ICON_MEMBRANE, ICON_NUCLEUS

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">'
    f'<circle cx="128" cy="128" r="96" fill="{ICON_CELL}" stroke="{ICON_MEMBRANE}" '
    f'stroke-width="40"/><circle cx="128" cy="128" r="44" fill="{ICON_NUCLEUS}"/></svg>'
)
