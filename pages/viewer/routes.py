"""What the viewer's code asks this server for: pictures, and the code itself.

The guard has looked at the address of a picture before it comes here (her2core.serving.guard).
"""

import logging
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from her2core.common.palette import VIEWER
from her2core.serving import pictures
from her2core.serving.services import services

CODE, SLIDE_CODE = "/viewer/viewer.js", "/viewer/slide.js"
GALLERY = "/viewer/gallery.js"
_log = logging.getLogger(__name__)
_HERE = Path(__file__).parent
_LEAFLET = Path(str(files("xstatic.pkg.leaflet"))) / "data"
_FILES = {
    path.name: path
    for folder in (_HERE, _HERE.parent / "worklist_parts")
    for path in folder.iterdir()
    if path.suffix in (".js", ".css")
} | {
    "leaflet.js": _LEAFLET / "leaflet-src.esm.js",
    "leaflet.css": _LEAFLET / "leaflet.css",
}
_COLOURS = "".join(f"--her2-{name}: {colour}; " for name, colour in VIEWER.items())
_NOT_KEPT = {"cache-control": "no-cache"}
# no use in packing pictures: they are packed
_AS_IT_IS = {"content-encoding": "identity"}


def _code(request: Request) -> Response:
    if request.path_params["name"] == "colours.css":
        return Response(f":root {{ {_COLOURS}}}", media_type="text/css", headers=_NOT_KEPT)
    path = _FILES.get(request.path_params["name"])
    if path is None:
        return PlainTextResponse("Nothing is here.", 404)
    return FileResponse(path, headers=_NOT_KEPT)


def _picture(request: Request) -> Response:
    """Runs in a thread of its own, as drawing takes its time."""
    try:
        picture = pictures.draw(services(), f"/pictures/{request.path_params['path']}")
    except pictures.NoPictureError as error:
        if error.__cause__ is not None:
            _log.warning("A picture could not be drawn: %s", error.__cause__)
        return PlainTextResponse(str(error), 404)
    packed = picture.kind.startswith("image/")
    return Response(picture.data, media_type=picture.kind, headers=_AS_IT_IS if packed else None)


ROUTES = [Route("/viewer/{name}", _code), Route("/pictures/{path:path}", _picture)]
