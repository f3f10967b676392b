"""Take the README's picture of a report: the built page as a reader's browser shows it."""

from pathlib import Path

from find_browser import find
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Photograph the top of the lifetime value page into reports/example.png."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.goto((ROOT / "reports" / "site" / "cdnow" / "lifetime_value.html").as_uri())
        page.screenshot(path=ROOT / "reports" / "example.png")
        browser.close()


if __name__ == "__main__":
    main()
