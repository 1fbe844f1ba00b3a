"""The image viewer under a reviewer's hands: wheel, keys, layers, and the square on the image."""

import io
import re

import pytest
from PIL import Image

from her2core.settings import load_settings
from tests.browser.actions import PATIENCE, at_place, settled, sign_in, until
from tests.browser.actions import upload as take_in

pytestmark = [pytest.mark.browser]

PLACE = """() => {
  const image = document.querySelector(".her2-pane img").getBoundingClientRect();
  return [Math.round(image.left), Math.round(image.top), Math.round(image.width)];
}"""
LARGEST = """() => {
  const area = (box) => box.width * box.height;
  const others = [...document.querySelectorAll('[data-testid="stVerticalBlock"] > *')].filter(
    (one) => !one.querySelector(".her2-viewer") && !one.closest(".her2-viewer"));
  const views = document.querySelector(".her2-views").getBoundingClientRect();
  return others.every((one) => area(one.getBoundingClientRect()) < area(views));
}"""


def wide() -> bytes:
    """Two synthetic patches side by side."""
    files = sorted(load_settings({}).demo_dir.glob("*.png"))[:2]
    left, right = (Image.open(file).convert("RGB") for file in files)
    both = Image.new("RGB", (left.width + right.width, left.height))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    data = io.BytesIO()
    both.save(data, "PNG")
    return data.getvalue()


def places_differ(page, before: list[int]) -> None:
    page.wait_for_function(f"() => String(({PLACE})()) !== '{','.join(map(str, before))}'")


def by_tab(page, element) -> None:
    """Give an element the keyboard as Tab does."""
    element.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.wait_for_function("(one) => document.activeElement === one", arg=element.element_handle())


@pytest.fixture
def told(page) -> list[bytes]:
    """What the viewer tells the server."""
    frames: list[bytes] = []

    def sent(frame: object) -> None:
        if isinstance(frame, bytes) and b"__events" in frame:
            frames.append(frame)

    page.on("websocket", lambda line: line.on("framesent", sent))
    return frames


@pytest.fixture
def asked(page) -> list[str]:
    """The pictures that the browser asks for, without what signs them."""
    paths: list[str] = []
    page.on(
        "request",
        lambda request: (
            "/pictures/" in request.url
            and paths.append(request.url.split("/pictures/")[1].split("?")[0])
        ),
    )
    return paths


def test_a_reviewer_looks_closely_and_moves_the_square(server, page, asked, told):
    page.goto(server.url)
    take_in(page, [{"name": "wide.png", "mimeType": "image/png", "buffer": wide()}], "1 of 1")
    page.get_by_text("Own score").first.wait_for(timeout=600_000)
    image = page.get_by_role("img", name="The patch")
    image.wait_for(timeout=PATIENCE)
    settled(page)
    pane = page.get_by_role("application")
    for size in ({"width": 1024, "height": 768}, {"width": 1440, "height": 900}):
        page.set_viewport_size(size)
        page.wait_for_function(LARGEST)

    # wheel, double click, buttons and keys zoom; the whole image comes back
    whole = page.evaluate(PLACE)
    pane.hover()
    page.mouse.wheel(0, -400)
    places_differ(page, whole)
    nearer = page.evaluate(PLACE)
    assert nearer[2] > whole[2]
    page.get_by_role("button", name="Whole image").click()
    page.wait_for_function(f"() => ({PLACE})()[2] === {whole[2]}")
    pane.dblclick()
    places_differ(page, whole)
    by_tab(page, pane)
    page.keyboard.press("+")
    nearer = page.evaluate(PLACE)
    page.keyboard.press("ArrowLeft")
    places_differ(page, nearer)
    page.keyboard.press("0")  # the viewer's while it has the keyboard, not the score
    page.wait_for_function(f"() => ({PLACE})()[2] === {whole[2]}")
    assert page.get_by_test_id("stBaseButton-primary").filter(has_text="0").count() == 0
    page.keyboard.press("+")
    nearer = page.evaluate(PLACE)

    # layers: shown and faded without the server, and an answer moves nothing and asks for nothing
    settled(page)
    cells = page.get_by_role("checkbox", name="Cells (stain measurement)")
    cells.check()
    drawn = page.get_by_role("img", name="Cells (stain measurement)")
    drawn.wait_for(timeout=PATIENCE)
    page.get_by_role("slider", name="Opacity of Cells").fill("30")
    assert drawn.evaluate("(one) => one.style.opacity") == "0.3"
    page.keyboard.press("o")
    drawn.wait_for(state="detached")
    page.keyboard.press("o")
    drawn.wait_for()
    before = list(asked)
    sign_in(page, "Dr. Ada")
    page.get_by_test_id("stMain").get_by_role("button", name=re.compile("^2\\+")).first.click()
    page.get_by_test_id("stBaseButton-primary").filter(has_text="2+").wait_for(timeout=PATIENCE)
    settled(page)
    assert page.evaluate(PLACE) == nearer
    assert asked == before

    # two networks side by side move together
    page.get_by_role("radio", name="Grad-CAM").click()
    page.get_by_role("img", name=re.compile("^CNN, Grad-CAM for")).wait_for(timeout=PATIENCE)
    settled(page)
    page.get_by_role("button", name="Both networks side by side").click()
    page.get_by_role("img", name=re.compile("^DenseNet121, Grad-CAM for")).wait_for()
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_function("""() => {
      const images = [...document.querySelectorAll('.her2-pane img[alt="The patch"]')];
      const [left, right] = images.map((one) => one.getBoundingClientRect().width);
      return images.length === 2 && Math.abs(left - right) < 1;
    }""")
    page.get_by_role("button", name="Both networks side by side").click()

    # a picture whose address has expired is asked for by a fresh one
    assert not told
    expired = page.get_by_role("checkbox", name=re.compile("^Stained membrane"))
    page.route("**/membrane?*", lambda route: route.fulfill(status=403), times=1)
    expired.check()
    page.wait_for_timeout(1000)
    settled(page)
    assert b"renew" in told.pop()
    expired.uncheck()
    expired.check()
    page.get_by_role("img", name=re.compile("^Stained membrane")).wait_for(timeout=PATIENCE)

    # the square is dragged; the server is told when it is let go of, and the numbers follow
    page.get_by_role("button", name="Whole image").click()
    mover = page.get_by_role("button", name=re.compile("^Square that is read"))
    number = page.get_by_label("From left (px)")
    until(page, page.get_by_text("Not square").click, number)
    start = number.input_value()
    box = mover.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 60, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.wait_for_function(
        "([one, before]) => one.value !== before", arg=[number.element_handle(), start]
    )
    dragged = int(number.input_value())
    assert dragged < int(start)
    assert len(told) == 1
    assert b"square" in told[0]
    # and by keyboard: moved, and made smaller round its middle
    settled(page)
    by_tab(page, mover)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("-")
    side = page.get_by_label("Side (px)")
    page.wait_for_function("(one) => Number(one.value) < 448", arg=side.element_handle())
    assert int(number.input_value()) > dragged
    settled(page)
    at_place(page, "1 of 1").wait_for()
    page.get_by_text("Own score").first.wait_for()
    # a number that is typed moves the square on the image
    box = mover.bounding_box()
    number.fill("0")
    number.press("Enter")
    settled(page)
    page.wait_for_function(
        "([one, x]) => one.getBoundingClientRect().x < x", arg=[mover.element_handle(), box["x"]]
    )
