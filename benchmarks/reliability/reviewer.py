"""One reviewer at a browser: signs in, answers, and waits until the page says "Saved"."""

import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from playwright.async_api import Error, Locator, Page
from playwright.async_api import TimeoutError as TooLongError

from tests.browser.actions import IDLE

_PATIENCE_MS = 180_000
_LONGEST_SECONDS = 60.0  # for which one key is pressed again and again
_HAS_KEYBOARD = """() => {
  const one = document.activeElement;
  const around = one?.closest("[data-testid]");
  return [one?.tagName, one?.getAttribute("role"), one?.value, around?.dataset.testid].join(" ");
}"""


@dataclass
class Presses:
    """How many keys had to be pressed again."""

    again: int = 0


class Answered(NamedTuple):
    """One answer: when Enter was first pressed, and seconds until the page said "Saved"."""

    pressed: float
    wait: float


async def sign_in(page: Page, url: str, name: str) -> None:
    """Open the Review page and give the reviewer's name.

    Raises:
        Error: the page did not come up, or did not take the name.
    """
    page.set_default_timeout(_PATIENCE_MS)
    await page.goto(url)
    box = page.get_by_test_id("stSidebar").get_by_role("combobox")
    await box.wait_for()
    form = page.get_by_text("Own score").first
    await form.wait_for()
    await _idle(page)  # nobody types before the page stands still
    cleared = page.get_by_test_id("stSidebar").get_by_label("Clear value")

    async def give_name() -> None:
        await box.click()
        await box.fill(name)
        await box.press("Enter")
        await cleared.first.wait_for(timeout=10_000)

    await _until_done(give_name)
    await form.wait_for()
    await _idle(page)


async def answer(page: Page, key: str, presses: Presses) -> Answered:
    """Choose a score and save, and wait until the page says "Saved".

    A key pressed while the page is being drawn may be lost; then it is pressed again, as a person
    would, and the wait counts from the first press.

    Args:
        page: of somebody who is signed in, with a patch in front.
        key: of the score, 0 to 3.
        presses: counted up here.

    Raises:
        Error: the score could not be chosen or saved within a minute.
    """
    toast = page.get_by_text("Saved: ").first
    await toast.wait_for(state="hidden")
    label = f"{key}+" if key != "0" else "0"
    chosen = page.get_by_test_id("stBaseButton-primary").filter(has_text=label).first
    await _idle(page)
    await _press_until(page, key, chosen, 3_000, presses)
    await _idle(page)
    return await _press_until(page, "Enter", toast, 5_000, presses)


async def looks(page: Page) -> str:
    """What has the keyboard and what the page shows at its top, for whoever looks for a cause."""
    with suppress(Error):
        keyboard = await page.evaluate(_HAS_KEYBOARD)
        text = await page.get_by_test_id("stMain").inner_text(timeout=5_000)
        return f"keyboard: {keyboard}; page: {' '.join(text.split())[:160]}"
    return "the page does not answer"


async def _press_until(
    page: Page, key: str, arrived: Locator, patience_ms: float, presses: Presses
) -> Answered:
    """Press a key and, where nothing came of it, press it again."""
    started = time.perf_counter()
    while True:
        await page.keyboard.press(key)
        with suppress(TooLongError):
            await arrived.wait_for(timeout=patience_ms)
            return Answered(started, time.perf_counter() - started)
        if time.perf_counter() - started > _LONGEST_SECONDS:
            raise Error(f"Nothing came of the key {key} within a minute.")
        presses.again += 1


async def _until_done(step: Callable[[], Coroutine[Any, Any, None]], times: int = 4) -> None:
    for attempt in range(times):
        try:
            await step()
            return
        except Error:
            if attempt == times - 1:
                raise


async def _idle(page: Page) -> None:
    """Wait until the server has nothing more to draw."""
    await page.wait_for_timeout(150)
    await page.wait_for_function(IDLE, polling=100)
