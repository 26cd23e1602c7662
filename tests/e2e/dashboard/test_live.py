"""Pages change while they are open."""

import re

from playwright.sync_api import expect

from tests.e2e.dashboard.conftest import NAMESPACE


def test_a_running_execution_moves_and_its_log_follows(page, headrace, runs):
    page.goto(f"{headrace.url}/executions/{runs['long']}")
    lines = page.locator("#log .ln")
    expect(lines.first).to_be_visible()
    before = lines.last.inner_text()

    expect(lines.last).not_to_have_text(before, timeout=5000)
    expect(page.locator("#road [data-since]")).to_have_text(re.compile(r"\d+:\d\d"))


def test_a_line_is_shown_once(page, headrace, runs):
    page.goto(f"{headrace.url}/executions/{runs['long']}/logs")
    page.wait_for_timeout(2500)

    ids = page.locator(".ln").evaluate_all("lines => lines.map(line => line.id)")

    assert len(ids) == len(set(ids))
    assert len(ids) >= 4


def test_the_end_changes_the_page_without_a_click(page, headrace):
    execution_id = headrace.start_flow(NAMESPACE, "waits")["id"]
    headrace.wait_for(execution_id, states=("PAUSED",))
    page.goto(f"{headrace.url}/executions/{execution_id}")
    expect(page.locator(".pill")).to_have_text("Paused")

    headrace.call("DELETE", f"executions/{execution_id}/kill")

    expect(page.locator(".pill")).to_have_text("Killed", timeout=10_000)
    expect(page.locator("#acts")).to_contain_text("Replay…")
    expect(page).to_have_title(re.compile("killed"))
    expect(page.locator("#toasts")).to_contain_text("waits killed")


def test_rows_change_in_place_and_newer_ones_are_offered(page, headrace, runs):
    execution_id = headrace.start_flow(NAMESPACE, "waits")["id"]
    headrace.wait_for(execution_id, states=("PAUSED",))
    page.goto(f"{headrace.url}/executions?q=flow:waits")
    row = page.locator(f"#ex-{execution_id}")
    expect(row).to_contain_text("Paused")

    headrace.call("DELETE", f"executions/{execution_id}/kill")
    expect(row).to_contain_text("Killed", timeout=10_000)

    newer = headrace.start_flow(NAMESPACE, "waits")["id"]
    expect(page.locator("#newer a")).to_have_text("Show 1 newer run", timeout=10_000)
    expect(page.locator(f"#ex-{newer}")).to_have_count(0)
    page.locator("#newer a").click()
    expect(page.locator(f"#ex-{newer}")).to_be_visible()
    headrace.call("DELETE", f"executions/{newer}/kill")


def test_a_swap_takes_neither_focus_nor_an_open_menu(page, headrace, runs):
    execution_id = headrace.start_flow(NAMESPACE, "long")["id"]
    headrace.wait_for(execution_id, states=("RUNNING",))
    page.goto(f"{headrace.url}/executions/{execution_id}")
    page.locator("[data-act=pause]").focus()

    page.wait_for_timeout(3000)  # at least one swap of the task runs

    assert page.evaluate("document.activeElement.dataset.act") == "pause"
    headrace.call("DELETE", f"executions/{execution_id}/kill")


def test_killing_asks_in_a_dialog(page, headrace):
    execution_id = headrace.start_flow(NAMESPACE, "long")["id"]
    headrace.wait_for(execution_id, states=("RUNNING",))
    page.goto(f"{headrace.url}/executions/{execution_id}")

    page.get_by_role("link", name="Kill…").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("Kill long")
    expect(dialog.get_by_role("link", name="Let it run")).to_be_focused()
    dialog.get_by_role("button", name="Kill it").click()

    expect(page.locator(".pill")).to_have_text("Killed", timeout=10_000)


def test_a_refused_form_keeps_what_was_entered(page, headrace, runs):
    page.goto(f"{headrace.url}/flows/company.team/good/run")
    page.get_by_label("who").fill("Ada")
    page.get_by_label("many").fill("99")
    page.get_by_role("button", name="Run now").click()

    expect(page.get_by_label("many")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("many")).to_be_focused()
    expect(page.get_by_label("who")).to_have_value("Ada")

    page.get_by_label("many").fill("3")
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url(re.compile("/executions/"))


def test_picking_a_task_shows_its_log(page, headrace, runs):
    page.goto(f"{headrace.url}/executions/{runs['bad']}")
    expect(page.locator("#log-h")).to_contain_text("risky")

    page.locator("#runs").get_by_role("link", name="begin").click()

    expect(page.locator("#log-h")).to_contain_text("begin")
    expect(page.locator("#log")).to_contain_text("fine so far")
    assert "task=" in page.url


def test_keys_move_and_open(page, headrace, runs):
    page.goto(f"{headrace.url}/executions/{runs['bad']}")
    page.keyboard.press("2")
    page.wait_for_url(re.compile("/gantt$"))
    page.keyboard.press("g")
    page.keyboard.press("f")
    page.wait_for_url(re.compile("/flows$"))
    page.keyboard.press("j")
    expect(page.locator("[data-row]:focus")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/flows/company.team/"))
    page.keyboard.press("/")
    expect(page.get_by_label("Search or jump to")).to_be_focused()
    page.keyboard.type("bad")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/search\\?q=bad$"))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keyboard shortcuts")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_file_is_downloaded(page, headrace, runs):
    page.goto(f"{headrace.url}/executions/{runs['good']}/outputs")

    with page.expect_download() as download:
        page.get_by_role("link", name="Download table.csv").click()

    assert download.value.path().read_text() == "a,b"


def test_without_a_stream_the_page_says_so_and_asks_now_and_then(page, headrace, runs):
    execution_id = headrace.start_flow(NAMESPACE, "waits")["id"]
    headrace.wait_for(execution_id, states=("PAUSED",))
    page.route("**/events*", lambda route: route.abort())
    page.goto(f"{headrace.url}/executions/{execution_id}")
    headrace.call("DELETE", f"executions/{execution_id}/kill")

    expect(page.locator("#head")).to_contain_text("Not live since", timeout=20_000)
    expect(page.locator(".pill")).to_have_text("Killed", timeout=10_000)


def test_inputs_that_depend_on_others_follow_at_once(page, headrace):
    headrace.add_flow(
        f"id: clouds\nnamespace: {NAMESPACE}\ninputs:\n"
        "  - {id: cloud, type: SELECT, values: [aws, gcp], defaults: aws}\n"
        "  - {id: doc, type: FILE, required: false}\n"
        "  - id: bucket\n    type: STRING\n"
        "    dependsOn: {inputs: [cloud], condition: \"{{ inputs.cloud == 'gcp' }}\"}\n"
        "tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: hi}]\n"
    )
    page.goto(f"{headrace.url}/flows/{NAMESPACE}/clouds/run")
    page.locator("[name='in.doc']").set_input_files(
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"}
    )
    assert page.locator("[name='in.bucket']").count() == 0

    page.locator("[name='in.cloud']").select_option("gcp")
    page.locator("[name='in.bucket']").fill("things")

    assert page.locator("[name='in.doc']").input_value().endswith("a.txt")
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url("**/executions/*")
    inputs = headrace.wait_for(page.url.rpartition("/")[2])["inputs"]
    assert (inputs["cloud"], inputs["bucket"]) == ("gcp", "things")
    assert inputs["doc"].endswith("a.txt")
