"""A Chromium for the tests of the pages: started once, offline, and every request a page makes is written down."""

import pytest
from find_browser import HELP, find
from playwright.sync_api import sync_playwright

ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]


@pytest.fixture(scope="session")
def browser():
    """Yield the browser; without one the tests are skipped, which `make test` does not let happen."""
    path = find()
    if path is None:
        pytest.skip(HELP)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Return a function that opens HTML as a reader would, from a file; `page.asked` lists what it loaded beside."""
    contexts = []

    def opened(html: str, *, width: int = 1280, scheme: str = "light", bypass_csp: bool = False):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=bypass_csp, offline=True
        )
        contexts.append(context)
        context.add_init_script("window.ran = []")
        file = tmp_path / f"page-{len(contexts)}.html"
        file.write_text(html, encoding="utf-8")
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        page.asked = [url for url in asked if not url.startswith("data:") and url != file.as_uri()]
        return page

    yield opened
    for context in contexts:
        context.close()
