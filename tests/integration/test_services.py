"""The neighbours that other tests stand on do what their README says."""

import subprocess
from http import HTTPStatus

import psycopg
import pytest
import redis


def test_postgres_gives_each_test_a_database_of_its_own(postgres_server):
    first, second = postgres_server.new_database(), postgres_server.new_database()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE t (n int)")

    with psycopg.connect(second) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE tablename = 't'"
        ).fetchone()

    assert tables == (0,)


def test_a_killed_redis_comes_back_empty_on_the_same_address():
    from tests.services.redis import RedisServer

    server = RedisServer()
    with redis.Redis.from_url(server.url) as client:
        client.set("a", "1")
        server.kill()
        server.start()
        assert client.get("a") is None
    server.stop()


def test_what_is_pushed_over_http_can_be_cloned_with_the_password(git_http, tmp_path):
    repo = git_http.create("pushed", files={"a.txt": "one"})
    big = repo.push({"big.bin": bytes(range(256)) * 20_000}, "Five megabytes, in chunks")

    subprocess.run(["git", "clone", "-q", repo.url_with_password, tmp_path / "c"], check=True)

    head = subprocess.run(
        ["git", "-C", tmp_path / "c", "rev-parse", "HEAD"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert head.stdout.strip() == big


@pytest.mark.parametrize("status", [None, HTTPStatus.SERVICE_UNAVAILABLE])
def test_without_the_password_or_in_trouble_the_repository_is_refused(git_http, status):
    repo = git_http.create(f"closed-{status}", files={"a.txt": "one"})
    repo.status = status
    url = repo.url if status is None else repo.url_with_password

    listed = subprocess.run(
        ["git", "ls-remote", url], env={"GIT_TERMINAL_PROMPT": "0", "PATH": "/usr/bin:/bin"}
    )

    assert listed.returncode != 0


@pytest.mark.parametrize(
    "command", [["sh", "-c", "echo hi"], ["python3", "-c", "import ssl, sqlite3; print('hi')"]]
)
def test_the_python_image_runs_shell_and_python(docker_client, python_image, command):
    output = docker_client.containers.run(python_image, command, remove=True, network_mode="none")

    assert output == b"hi\n"


def test_the_busybox_image_runs_a_shell(docker_client, busybox_image):
    output = docker_client.containers.run(
        busybox_image, "echo hi", remove=True, network_mode="none"
    )

    assert output == b"hi\n"


def test_the_browser_opens_a_page(page, httpserver):
    httpserver.expect_request("/").respond_with_data("<title>hi</title>", content_type="text/html")

    page.goto(httpserver.url_for("/"))

    assert page.title() == "hi"
