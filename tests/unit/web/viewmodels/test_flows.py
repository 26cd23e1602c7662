import pytest

from runner.model.flow import Trigger
from web.viewmodels import flows


@pytest.mark.parametrize(
    ("zone", "said"),
    [({}, "0 3 * * *"), ({"timezone": "Europe/Paris"}, "0 3 * * *, Europe/Paris")],
)
def test_a_schedule_tells_the_time_zone_of_its_cron(zone, said):
    schedule = Trigger(
        "nightly", "io.kestra.plugin.core.trigger.Schedule", {"cron": "0 3 * * *", **zone}
    )

    assert flows.what(schedule) == said
