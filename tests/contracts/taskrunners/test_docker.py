import subprocess
import sys
import textwrap
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from runner.taskrunners import engines
from runner.taskrunners.base import ATTEMPT_LABEL, TASK_RUN_LABEL, CannotRun, Command
from runner.taskrunners.containers import DockerOptions
from runner.taskrunners.docker import DockerRunner
from runner.taskrunners.leftovers import cleanup
from tests.contracts.taskrunners.suite import RealTaskRunnerContract

IMAGE = "busybox:local"


class _Docker(RealTaskRunnerContract):
    image = IMAGE
    options = DockerOptions()

    @pytest.fixture(autouse=True)
    def _engine(self, busybox_image):
        self.logged = []

    def make(self, program, **options):
        return DockerRunner(replace(self.options, **options), self.logged.append)

    def test_the_environment_is_what_is_given(self, play, monkeypatch):
        for name in ("SECRET_X", "HEADRACE_HOME", "REDIS_URL"):
            monkeypatch.setenv(name, "leak")

        play.script("env", env={"GREETING": "hi"})

        names = {line.split("=")[0] for line, _ in play.lines}
        assert names == {"PATH", "HOSTNAME", "HOME", "PWD", "SHLVL", "GREETING"}

    def test_input_files_are_there_for_any_user(self, play):
        (play.folder / "sub").mkdir()
        (play.folder / "sub/in.txt").write_text("input\n")

        play.script(
            "cat sub/in.txt; id -u; echo x > out; echo y > sub/out", self.make(None, user="1234")
        )

        assert [line for line, _ in play.lines] == ["input", "1234"]
        assert (play.folder / "out").read_text() == "x\n"
        assert (play.folder / "sub/out").read_text() == "y\n"

    def test_a_file_removed_inside_is_gone(self, play):
        (play.folder / "in.txt").write_text("input")

        play.script("rm in.txt")

        assert not (play.folder / "in.txt").exists()

    def test_nothing_is_left(self, play, docker_client):
        run = uuid.uuid4().hex

        play.script("exit 1", labels=labels(run))

        assert of_run(docker_client, run) == []


def labels(run, attempt=0):
    return {TASK_RUN_LABEL: run, ATTEMPT_LABEL: str(attempt)}


def of_run(client, run):
    return client.containers.list(
        all=True, ignore_removed=True, filters={"label": f"{TASK_RUN_LABEL}={run}"}
    )


def start_lost(client, run, script, attempt=0, folder="/w"):
    """Start a container as a worker did that died since."""
    return client.containers.run(
        IMAGE,
        ["sh", "-c", script],
        detach=True,
        name=f"headrace-{run}-{attempt}",
        labels=labels(run, attempt),
        working_dir=folder,
    )


class TestDockerWithMounts(_Docker):
    options = DockerOptions(files="MOUNT")


class TestDockerWithArchives(_Docker):
    options = DockerOptions(files="VOLUME")

    def test_a_link_out_of_the_folder_does_not_come_back(self, play):
        play.script("ln -s /etc/passwd bad; ln -s good.txt link; echo x > good.txt")

        assert not (play.folder / "bad").is_symlink()
        assert (play.folder / "link").read_text() == "x\n"


class TestDockerRunner(_Docker):
    def test_big_output_is_complete(self, play):
        play.script("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done")

        assert [line for line, _ in play.lines] == [f"line {n}" for n in range(20000)]

    def test_under_load_no_line_is_lost_or_comes_twice(self, tmp_path):
        def run(number):
            lines = []
            command = Command(["sh", "-c", "echo a; echo b"], tmp_path, image=IMAGE)
            self.make(None).run(command, lambda line, err: lines.append(line), lambda marker: None)
            return lines

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(run, range(32))) == [["a", "b"]] * 32

    def test_empty_lines_are_dropped(self, play):
        play.script("echo a; echo; echo b")

        assert [line for line, _ in play.lines] == ["a", "b"]

    def test_it_is_quiet_for_longer_than_a_tick(self, play):
        assert play.script("sleep 2.5; echo end").exit_code == 0
        assert play.lines == [("end", False)]

    def test_a_stop_with_grace_lets_it_clean_up(self, play):
        runner = self.make(None, kill_grace=timedelta(seconds=5))

        ended = play.script(
            "trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done",
            runner,
            timeout=timedelta(seconds=1),
        )

        assert ended.stopped
        assert play.lines == [("bye", False)]

    def test_the_limits_are_the_containers(self, play):
        limits = {"mem_limit": "64m", "memswap_limit": "64m", "nano_cpus": 500_000_000}
        play.script(
            "cat /sys/fs/cgroup/memory/memory.limit_in_bytes", self.make(None, limits=limits)
        )

        assert play.lines == [(str(64 * 1024 * 1024), False)]

    def test_a_container_that_runs_out_of_memory_says_so(self, play):
        limits = {"mem_limit": "16m", "memswap_limit": "16m"}

        ended = play.script("tail -c 64m /dev/zero >&2", self.make(None, limits=limits))

        assert ended.exit_code == 137
        assert "raise `memory`" in ended.reason

    def test_part_of_a_second_is_a_grace_too(self, play):
        runner = self.make(None, kill_grace=timedelta(seconds=0.2))

        play.script(
            "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done",
            runner,
            timeout=timedelta(seconds=1),
        )

        assert play.lines[-1] == ("bye", False)

    def test_a_user_that_the_image_does_not_know_is_explained(self, play):
        with pytest.raises(CannotRun, match="Name a `user`"):
            play.script("true", self.make(None, user="nobody-there"))

    def test_a_container_may_stay(self, play, docker_client):
        run = uuid.uuid4().hex

        play.script("echo x", self.make(None, delete=False), labels=labels(run))

        gone = engines.reap(engines.client(), lambda labels: labels[TASK_RUN_LABEL] != run)
        [container] = of_run(docker_client, run)
        container.remove()
        assert gone == []

    def test_a_name_that_is_no_images_is_explained(self, play):
        command = Command(["true"], play.folder, image="No Such:Image!")

        with pytest.raises(CannotRun, match="lower case"):
            self.make(None).run(command, print, lambda _: None)

    def test_an_entry_point_may_be_named(self, play):
        play.script("x", self.make(None, entry_point=("echo", "said")))

        assert play.lines == [("said /bin/sh -c x", False)]

    def test_hosts_and_networks_are_as_they_are_given(self, play):
        options = {"network_mode": "none", "extra_hosts": {"db.local": "10.0.0.9"}}

        play.script("grep db.local /etc/hosts; ls /sys/class/net", self.make(None, **options))

        lines = [line.split() for line, _ in play.lines]
        assert ["10.0.0.9", "db.local"] in lines
        assert ["eth0"] not in lines

    def test_folders_of_the_host_are_mounted(self, play, tmp_path):
        for name in ("read", "write"):
            (tmp_path / name).mkdir()
        (tmp_path / "read/in.txt").write_text("in\n")
        volumes = (f"{tmp_path}/read:/read:ro", f"{tmp_path}/write:/write")

        play.script(
            "cp /read/in.txt /write/out.txt; touch /read/x 2>/dev/null || echo no",
            self.make(None, volumes=volumes),
        )

        assert play.lines == [("no", False)]
        assert (tmp_path / "write/out.txt").read_text() == "in\n"

    def test_its_shared_memory_has_the_size_that_is_asked_for(self, play):
        limits = {"shm_size": 16 * 1024 * 1024}

        play.script("df -k /dev/shm | tail -n 1 | awk '{print $2}'", self.make(None, limits=limits))

        assert play.lines == [("16384", False)]

    def test_details_name_the_container(self, play):
        assert len(play.script("true").details["containerId"]) == 64

    def test_not_waiting_it_returns_at_once_and_leaves_it(self, play, docker_client):
        run = uuid.uuid4().hex

        ended = play.script("sleep 600", self.make(None, wait=False), labels=labels(run))

        gone = engines.reap(engines.client(), lambda labels: labels[TASK_RUN_LABEL] != run)
        [container] = of_run(docker_client, run)
        container.remove(force=True)
        assert ended.exit_code == 0
        assert gone == []

    def test_not_waiting_it_keeps_its_files(self, play, docker_client):
        run = uuid.uuid4().hex
        (play.folder / "in.txt").write_text("input")

        play.script("sleep 1; cat in.txt", self.make(None, wait=False), labels=labels(run))
        (play.folder / "in.txt").unlink()

        [container] = of_run(docker_client, run)
        try:
            assert container.wait()["StatusCode"] == 0
            assert container.logs() == b"input"
        finally:
            container.remove(force=True)

    def test_no_image(self, play):
        command = Command(["true"], play.folder)

        with pytest.raises(CannotRun, match="containerImage"):
            self.make(None).run(command, print, print)

    @pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
    def test_no_engine(self, play, host):
        with pytest.raises(CannotRun, match=rf"{host} .*Start Docker.*Process"):
            play.script("true", self.make(None, host=host))

    def test_an_image_that_is_absent_is_not_pulled_with_never(self, play):
        command = Command(["true"], play.folder, image="absent:local")

        with pytest.raises(CannotRun, match="docker pull absent:local"):
            self.make(None, pull_policy="NEVER").run(command, print, print)

    def test_a_pull_is_tried_again_and_refused_with_the_reason(self, play):
        command = Command(["true"], play.folder, image="127.0.0.1:1/absent:local")
        runner = self.make(None, pull_waits=(timedelta(seconds=0.1),))

        with pytest.raises(CannotRun, match=r"cannot pull the image 127\.0\.0\.1:1/absent:local"):
            runner.run(command, print, lambda marker: None)

        assert "Pulling 127.0.0.1:1/absent:local" in self.logged
        assert any("again in 0.1 s" in line for line in self.logged)

    def test_a_stop_ends_the_wait_for_the_next_pull(self, play):
        command = Command(["true"], play.folder, image="127.0.0.1:1/absent:local")
        runner = self.make(None)
        threading.Timer(0.5, runner.stop).start()
        began = time.monotonic()

        assert runner.run(command, print, lambda marker: None).stopped
        assert time.monotonic() - began < 4

    def test_a_program_that_is_missing_is_named(self, play, docker_client):
        run = uuid.uuid4().hex
        command = Command(["no-such-program"], play.folder, image=IMAGE, labels=labels(run))

        with pytest.raises(CannotRun, match="no-such-program"):
            self.make(None).run(command, print, lambda marker: None)

        assert of_run(docker_client, run) == []

    def test_an_error_of_the_reader_ends_the_container(self, play, docker_client):
        run = uuid.uuid4().hex

        def fail(line, is_error):
            raise RuntimeError(line)

        command = Command(
            ["sh", "-c", "echo up; sleep 600"], play.folder, image=IMAGE, labels=labels(run)
        )
        with pytest.raises(RuntimeError, match="up"):
            self.make(None).run(command, fail, lambda marker: None)

        assert of_run(docker_client, run) == []

    @pytest.mark.parametrize("attempt", [0, 1])
    def test_a_container_that_still_runs_is_taken_over(self, play, docker_client, attempt):
        run = uuid.uuid4().hex
        start_lost(
            docker_client, run, "echo one; echo two >&2; sleep 2; echo three; echo x > f; exit 5"
        )

        ended = play.script("echo no", labels=labels(run, attempt))

        assert ended.exit_code == 5
        assert [line for line, err in play.lines if not err] == ["one", "three"]
        assert [line for line, err in play.lines if err] == ["two"]
        assert (play.folder / "f").read_text() == "x\n"
        assert of_run(docker_client, run) == []

    def test_without_resume_it_is_removed_first(self, play, docker_client):
        run = uuid.uuid4().hex
        start_lost(docker_client, run, "sleep 600")

        play.script("echo new", self.make(None, resume=False), labels=labels(run, 1))

        assert play.lines == [("new", False)]
        assert of_run(docker_client, run) == []

    def test_one_that_was_taken_over_is_not_ended_by_who_had_it_before(self, play, docker_client):
        run = uuid.uuid4().hex
        first = self.make(None)
        script = "echo up; sleep 3; echo end"
        old = threading.Thread(
            target=play.script, args=(script, first), kwargs={"labels": labels(run)}
        )
        old.start()
        while not play.lines:
            time.sleep(0.05)
        lines = []
        command = Command(["true"], play.folder, image=IMAGE, labels=labels(run, 1))
        threading.Timer(1, first.stop).start()

        ended = self.make(None).run(command, lambda line, err: lines.append(line), print)
        old.join()

        assert ended.exit_code == 0
        assert lines == ["up", "end"]

    def test_a_marker_removes_what_a_dead_worker_left(self, play, docker_client):
        run = uuid.uuid4().hex
        play.script("true", labels=labels(run))
        start_lost(docker_client, run, "sleep 600")

        assert cleanup(play.markers[0])

        assert of_run(docker_client, run) == []

    def test_reaping_leaves_live_ones_alone(self, docker_client):
        live, dead = uuid.uuid4().hex, uuid.uuid4().hex
        start_lost(docker_client, live, "sleep 600")
        start_lost(docker_client, dead, "sleep 600")

        gone = engines.reap(engines.client(), lambda labels: labels[TASK_RUN_LABEL] != dead)

        [left] = of_run(docker_client, live)
        left.remove(force=True)
        assert gone == [f"headrace-{dead}-0"]

    def test_after_a_killed_worker_its_container_is_taken_over(self, play, docker_client):
        run = uuid.uuid4().hex
        worker = _worker("echo one; sleep 3; echo two", play.folder, run)
        assert worker.stdout.readline() == b"one\n"
        worker.kill()
        worker.wait()
        worker.stdout.close()

        ended = play.script("echo no", labels=labels(run, 1))

        assert ended.exit_code == 0
        assert play.lines == [("one", False), ("two", False)]


def _worker(script, folder, run):
    program = textwrap.dedent(
        f"""
        from pathlib import Path
        from runner.taskrunners.base import Command
        from runner.taskrunners.containers import DockerOptions
        from runner.taskrunners.docker import DockerRunner
        DockerRunner(DockerOptions(), print).run(
            Command(["sh", "-c", {script!r}], Path({str(folder)!r}), image={IMAGE!r},
                    labels={labels(run)!r}),
            lambda line, err: print(line, flush=True),
            lambda marker: None,
        )
        """
    )
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)


@pytest.mark.parametrize("user", [None, "1234"])
def test_a_cache_is_shared_by_containers_and_stays(busybox_image, docker_client, tmp_path, user):
    volume = f"headrace-test-{uuid.uuid4().hex}"
    lines = []

    def play(script):
        command = Command(["sh", "-c", script], tmp_path, image=IMAGE, cache=volume)
        options = DockerOptions(pull_policy="NEVER", network_mode="none", user=user)
        runner = DockerRunner(options, lines.append)
        return runner.run(command, lambda line, _: lines.append(line), lambda _: None)

    try:
        play("echo kept > /var/cache/headrace/x")
        assert play("cat /var/cache/headrace/x").exit_code == 0
        assert lines == ["kept"]
        assert docker_client.volumes.get(volume).attrs["Labels"] == {"headrace.cache": "true"}
    finally:
        docker_client.volumes.get(volume).remove()
