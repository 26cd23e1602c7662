import pytest

from tests.unit.runtimes import a_runtime


@pytest.fixture
def runtime(tmp_path):
    runtime = a_runtime(tmp_path / "home")
    yield runtime
    runtime.store.close()
