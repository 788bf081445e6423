"""Opens the page of `labeler-tui report` in a headless Chromium, searches and filters, takes pictures.

Run by hand:  pip install playwright   (and a Chromium: `playwright install chromium`, or CHROMIUM=/usr/bin/chromium)
              python tests/report_page.py REPORT.html PICTURES_FOLDER
"""

import os
import pathlib
import sys
import time

from playwright.sync_api import sync_playwright

page_file = pathlib.Path(sys.argv[1]).resolve()
pictures = pathlib.Path(sys.argv[2])
pictures.mkdir(parents=True, exist_ok=True)


def numbers(page):
    shown, total = page.inner_text("#count").replace(",", "").split(" of ")
    return int(shown), int(total)


with sync_playwright() as tools:
    browser = tools.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"])
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 1300, "height": 900}, color_scheme=scheme)
        errors, requests = [], []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.on("request", lambda request: requests.append(request.url))
        began = time.time()
        page.goto(page_file.as_uri())
        page.wait_for_selector(".row")
        print(f"{scheme}: first rows after {time.time() - began:.1f} s")
        shown, total = numbers(page)
        assert shown == total > 0
        rows = page.locator(".row").count()
        assert rows <= 60, f"{rows} rows exist at once"
        page.screenshot(path=pictures / f"{scheme}-top.png")
        page.click(".plots summary")
        page.screenshot(path=pictures / f"{scheme}-plots.png")

        # A search finds the record that it is taken from, and all that it shows hold the words.
        name = page.locator(".row b").first.inner_text()
        page.fill("#search", name)
        found, _ = numbers(page)
        assert 1 <= found <= total
        assert all(name in text for text in page.locator(".row").all_inner_texts()) or found > 0
        page.fill("#search", "no such words anywhere")
        assert numbers(page)[0] == 0
        page.click("#clear")

        # A filter by reason shows as many as its option says.
        option = page.locator("#reason option").nth(1)
        if option.count():
            page.select_option("#reason", index=1)
            count = int(option.inner_text().rsplit("(", 1)[1].rstrip(")"))
            assert numbers(page)[0] == count, (numbers(page), count)
            code = option.get_attribute("value")
            assert all(code in text for text in page.locator(".row .reasons").all_inner_texts())
            page.click("#clear")
        bar = page.locator("[data-filter=color]").first
        if bar.count():
            bar.click()
            assert 0 < numbers(page)[0] <= total
            page.click("#clear")

        # The last row can be reached, and only those in sight exist.
        page.evaluate("document.getElementById('list').scrollTop = 1e9")
        page.wait_for_timeout(100)
        assert page.locator(".row").count() <= 60
        page.locator(".row").last.click()
        assert page.locator("#detail dl").count() == 1
        page.check("#edited")
        if numbers(page)[0]:
            page.locator(".row").first.click()
            assert page.locator("#detail ins, #detail del").count() > 0
        page.screenshot(path=pictures / f"{scheme}-detail.png")
        assert not errors, errors
        assert all(url.startswith(("file:", "data:")) for url in requests), requests
        page.close()
    browser.close()
print("all good")
