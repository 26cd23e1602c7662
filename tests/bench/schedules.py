"""How late runs begin with many schedules: from a schedule's date to RUNNING.

    python -m tests.bench.schedules [--schedules 10000] [--seconds 60]

Each schedule fires once an hour, all spread evenly over its seconds. The goal is p99 < 250 ms with
10,000 schedules. Beside it stand 100 schedules that fire every 30 seconds, as often altogether:
what is more comes from their number.
"""

import argparse
import time
from datetime import UTC, datetime, timedelta
from statistics import quantiles

import yaml

from tests.bench.product import NAMESPACE, Product

EACH = 100  # schedules of a flow
SETTLED = timedelta(seconds=5)
PAGE = 100
SCHEDULE = "io.kestra.plugin.core.trigger.Schedule"
LOG = {"id": "say", "type": "io.kestra.plugin.core.log.Log", "message": "{{ trigger.date }}"}


def main():
    """Measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    for count, period in ((EACH, 30), (options.schedules, 3600)):
        late = measured(count, period, options.seconds)
        cuts = quantiles(late, n=100)
        figures = "  ".join(f"p{at} {cuts[at - 1] * 1000:.0f} ms" for at in (50, 95, 99))
        print(f"{count:>6} schedules, {len(late)} runs: {figures}  most {max(late) * 1000:.0f} ms")


def measured(count, period, seconds):
    """Return by how many seconds each run of some time was late; each schedule has its period."""
    with Product() as product:
        for number in range(count // EACH):
            product.add_flow(yaml.safe_dump(a_flow(number, count, period), sort_keys=False))
        wait_until_dated(product)
        begin = datetime.now(UTC) + SETTLED
        time.sleep(seconds + 2 * SETTLED.total_seconds())
        end = begin + timedelta(seconds=seconds)
        return [late for at, late in runs(product) if begin < at < end]


def wait_until_dated(product):
    """Wait until the scheduler has given each new trigger its first date."""
    first = "triggers/search?size=1&page=1&sort=nextExecutionDate:asc"
    while True:
        (found,) = product.call("GET", first)["results"]
        date = datetime.fromisoformat(found["triggerContext"]["nextExecutionDate"])
        if date > datetime.now(UTC) - timedelta(seconds=1):
            return
        time.sleep(1)


def a_flow(number, count, period):
    """Schedules that follow one another at even distances within the period."""
    seconds = [(number * EACH + index) * period // count for index in range(EACH)]
    return {
        "id": f"timed-{number}",
        "namespace": NAMESPACE,
        "tasks": [LOG],
        "triggers": [
            {"id": f"t{index}", "type": SCHEDULE, "withSeconds": True, "cron": cron(second, period)}
            for index, second in enumerate(seconds)
        ],
    }


def cron(second, period):
    """Once in each period of seconds: a divisor of an hour, below or above a minute."""
    if period <= 60:
        return f"{','.join(map(str, range(second, 60, period)))} * * * * *"
    minute = ",".join(map(str, range(second // 60, 60, period // 60)))
    return f"{second % 60} {minute} * * * *"


def runs(product):
    """Yield the date of each run and by how many seconds later it was RUNNING."""
    page = 1
    while True:
        path = f"executions/search?namespace={NAMESPACE}&size={PAGE}&page={page}"
        found = product.call("GET", path)["results"]
        for execution in found:
            date = datetime.fromisoformat(execution["trigger"]["variables"]["date"])
            histories = execution["state"]["histories"]
            started = next((each for each in histories if each["state"] == "RUNNING"), None)
            if started is not None:
                late = datetime.fromisoformat(started["date"]) - date
                yield date, late.total_seconds()
        if len(found) < PAGE:
            return
        page += 1


if __name__ == "__main__":
    main()
