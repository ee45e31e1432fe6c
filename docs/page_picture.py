"""Photograph docs/page-light.png and docs/page-dark.png: the page of `coinbase_insights serve --demo`, half an hour on.

    python docs/page_picture.py      takes a minute: the market runs sixty times as fast; needs chromium

Nothing is painted by hand: a real exchange, a real server, and what a browser shows.
"""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent
COMMAND = (sys.executable, "-m", "coinbase_insights", "serve", "--demo", "--speed", "60", "--port", "0")
SECONDS = 40.0
WIDTH, HEIGHT = 1280, 1400


def main() -> None:
    """Photograph."""
    with subprocess.Popen(COMMAND, stderr=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        assert server.stderr is not None
        address = server.stderr.readline().split()[-1]
        time.sleep(SECONDS)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            size = {"width": WIDTH, "height": HEIGHT}
            page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type] # a str, where its stubs list words
            page.goto(address)
            page.locator("#best_bid", has_text=re.compile("[0-9]")).wait_for()
            page.wait_for_timeout(2000)
            page.screenshot(path=FOLDER / f"page-{scheme}.png", animations="disabled")
        browser.close()
        server.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    main()
