"""Chromium, as the tests of the console drive it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local.servers import ROOT
from tests.e2e.stack import Stack

PICTURES = ROOT / ".local" / "tests" / "console"
"""Where a run leaves what the pages looked like."""

expect.set_options(timeout=30_000)  # milliseconds: a busy machine needs more than Playwright's five seconds

NAMES = ("chromium", "chromium-browser", "google-chrome")

REQUIRED = "BROKER_CHROMIUM"
"""The variable that says `required` where the tests may not be left out."""

STANDARD = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
"""The Web Content Accessibility Guidelines 2.2 at level AA, by axe's tags."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """This machine's Chromium; without one the test is left out, or fails where it is required."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        leave = pytest.fail if os.environ.get(REQUIRED) == "required" else pytest.skip
        leave("there is no Chromium here, so the console is not tested: apt-get install chromium")
    # Debian's runs as root in a container only without a sandbox; it sees nothing but the page under test.
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Console:
    """The console in a page of its own."""

    page: Page
    stack: Stack
    said: list[str] = field(default_factory=list)
    """Errors in the browser's console, and exceptions."""
    asked: list[str] = field(default_factory=list)
    """Addresses that were asked for."""

    def open(self, where: str = "") -> None:
        """Load the page, signed out."""
        self.page.goto(f"{self.stack.base_url}/console{where}")
        expect(self.page.get_by_role("heading", name="Sign in")).to_be_visible()

    def enter(self, key: str | None = None, where: str = "") -> None:
        """Sign in with a key of a tenant."""
        self.open(where)
        self.page.get_by_label("API key or token").fill(key or self.stack.seeded.api_key)
        self.page.keyboard.press("Enter")

    def go(self, where: str) -> None:
        """Follow an address of the console's own, as `/jobs`, and wait for its page."""
        self.page.evaluate("where => { location.hash = `#${where}` }", where)
        expect(self.page.locator("main h1")).to_be_visible()

    def keep(self, name: str) -> None:
        """Keep what it looks like."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def check(self) -> None:
        """Hold what is shown against the standard, in both colours, and the console against errors."""
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            found = Axe().run(self.page, options=STANDARD).response["violations"]
            told = [f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}" for each in found]
            assert not told, f"{theme}: {told}"
        self.page.emulate_media(color_scheme="light")
        assert not self.said, self.said


@contextmanager
def console(browser: Browser, stack: Stack, **options: Any) -> Iterator[Console]:
    """A page with nothing in it, which ends with the test."""
    context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}} | options)
    page = context.new_page()
    page.set_default_timeout(15_000)
    made = Console(page, stack)
    page.on("console", lambda message: made.said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: made.said.append(str(error)))
    page.on("request", lambda request: made.asked.append(request.url))
    try:
        yield made
    finally:
        context.close()
