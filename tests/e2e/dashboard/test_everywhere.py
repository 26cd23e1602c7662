"""What holds for every page: readable by everybody, at every width, under a strict policy."""

import pytest
from axe_playwright_python.sync_playwright import Axe

WIDTHS = (320, 390, 768, 1024, 1440)
PAGES = (
    "/executions",
    "/executions?q=stat:failed",
    "/executions?q=flow:none",
    "/executions/{bad}",
    "/executions/{bad}/gantt",
    "/executions/{bad}/logs",
    "/executions/{bad}/topology",
    "/executions/{bad}/replay",
    "/executions/{good}",
    "/executions/{good}/outputs",
    "/executions/{long}",
    "/executions/{long}/kill",
    "/executions/{waits}",
    "/executions/{waits}/resume",
    "/flows",
    "/flows/company.team/good",
    "/flows/company.team/good/executions",
    "/flows/company.team/good/topology",
    "/flows/company.team/good/revisions",
    "/flows/company.team/good/triggers",
    "/flows/company.team/good/run",
    "/sources",
    "/sources/gone",
    "/search?q=good",
    "/keys",
    "/executions/nothing",
)


@pytest.fixture(params=["light", "dark"])
def theme(request):
    return request.param


@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_keeps_anybody_out(browser, headrace, runs, theme, width):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
    )
    page = context.new_page()
    found = []
    for path in PAGES:
        page.goto(headrace.url + path.format(**runs))
        for violation in Axe().run(page).response["violations"]:
            places = [node["html"][:120] for node in violation["nodes"][:3]]
            found.append(f"{path}: {violation['id']}: {places}")
    context.close()

    assert not found, "\n".join(found)


def test_no_page_scrolls_sideways(page, headrace, runs):
    found = []
    for path in PAGES:
        page.goto(headrace.url + path.format(**runs))
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            surplus = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            if surplus > 0:
                found.append(f"{path} at {width}: {surplus} px")

    assert not found, "\n".join(found)


def test_no_page_breaks_the_policy_or_raises(page, headrace, runs):
    said = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else 0)
    for path in PAGES[:-1]:
        page.goto(headrace.url + path.format(**runs))
        page.wait_for_timeout(100)

    assert not said


def test_pages_keep_their_budget(page, headrace, runs):
    for path in PAGES[:-1]:
        answer = page.goto(headrace.url + path.format(**runs), wait_until="load")
        assert len(answer.body()) <= 60_000, path  # as it came: what is live grows afterwards

    styles = page.evaluate(
        "performance.getEntriesByType('resource').filter(e => e.name.includes('.css'))"
        ".reduce((sum, e) => sum + e.decodedBodySize, 0)"
    )
    assert 0 < styles <= 25 * 1024


def test_everything_is_read_and_done_without_script(browser, headrace, runs):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(headrace.url)
    page.get_by_role("link", name="Flows", exact=True).click()
    page.get_by_role("link", name="good", exact=True).first.click()
    page.get_by_label("who").fill("Ada")
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url("**/executions/*")

    execution_id = page.url.rpartition("/")[2]
    assert headrace.wait_for(execution_id)["inputs"]["who"] == "Ada"
    page.goto(f"{headrace.url}/executions/{execution_id}")
    assert page.locator(".pill").inner_text() == "Success"
    page.get_by_role("link", name="Replay…").click()
    page.get_by_role("button", name="Start the replay").click()
    page.wait_for_url("**/executions/*")
    assert page.url.rpartition("/")[2] != execution_id
    context.close()


def test_a_topology_is_drawn_from_the_list_that_reads_without_script(browser, headrace, runs):
    address = f"{headrace.url}/executions/{runs['bad']}/topology"
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(address)
    listed = plain.locator("[data-node] a").all_inner_texts()
    plain.context.close()
    page = browser.new_page()
    page.goto(address)

    drawn = page.locator("svg.topo a text:not(.sub)")
    drawn.first.wait_for()
    assert listed
    assert drawn.all_text_contents() == listed
    assert page.locator("svg.topo .bad .box").count()
    assert not page.locator("[data-node]").first.is_visible()
    page.close()


def test_first_paint_needs_nobody_else(page, headrace, runs):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{headrace.url}/executions/{runs['bad']}")

    assert all(url.startswith((headrace.url, "data:")) for url in asked)
