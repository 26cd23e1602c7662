from runner.testing import FakeTaskRunner
from tests.contracts.taskrunners.suite import TaskRunnerContract


class TestFakeTaskRunner(TaskRunnerContract):
    def make(self, program):
        return FakeTaskRunner(
            lines=program.lines,
            files=program.files,
            exit_code=program.exit_code,
            until_stopped=program.until_stopped,
        )
