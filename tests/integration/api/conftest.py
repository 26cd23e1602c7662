import pytest

from tests.services.headrace import Headrace

FLOWS = (
    """\
id: hello
namespace: company.team
inputs:
  - {id: who, type: STRING, defaults: bob}
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: "hi {{ inputs.who }}"}
  - {id: ret, type: io.kestra.plugin.core.debug.Return, format: "{{ inputs.who }}"}
outputs:
  - {id: greeting, type: STRING, value: "{{ outputs.ret.value }}"}
""",
    """\
id: slow
namespace: company.team
tasks:
  - {id: first, type: io.kestra.plugin.core.log.Log, message: begun}
  - {id: nap, type: io.kestra.plugin.core.flow.Sleep, duration: PT60S}
""",
    """\
id: hooked
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ trigger.body }}"}
outputs:
  - {id: said, type: STRING, value: "{{ outputs.say.value }}"}
triggers:
  - {id: hook, type: io.kestra.plugin.core.trigger.Webhook, key: s3cret}
  - id: waiting
    type: io.kestra.plugin.core.trigger.Webhook
    key: patient
    wait: true
    returnOutputs: true
""",
)


@pytest.fixture(scope="module")
def headrace():
    settings = {"web": {"max_streams": 4}, "task_runner": {"default": "process"}}
    with Headrace(settings) as headrace:
        for flow in FLOWS:
            headrace.add_flow(flow)
        yield headrace
