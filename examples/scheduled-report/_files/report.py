"""Write report.md for the day in DAY from visits.csv, and hand on how many visits there were."""

import csv
import os

from kestra import Kestra

day = os.environ["DAY"]
with open("visits.csv") as file:
    rows = [row for row in csv.DictReader(file) if row["day"] == day]
visits = sum(int(row["visits"]) for row in rows)
with open("report.md", "w") as report:
    report.write(f"# {day}\n\n{visits} visits\n\n")
    report.writelines(f"- {row['page']}: {row['visits']}\n" for row in rows)
print(f"{day}: {visits} visits")
Kestra.outputs({"visits": visits})
