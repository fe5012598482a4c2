"""Prints a table of what several rounds of a benchmark measured.

    table.py FILE [ARM...]

FILE has a line `ARM|WHAT|UNIT|VALUE` for every figure; the order of lines is
the order of rows. A row has, for each ARM (default: all, as they come), the
minimum, the median and the maximum, and behind all but the first the ratio of
its median to the first's.
"""

import statistics
import sys


def read(path):
    arms, rows, figures = [], [], {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            arm, what, unit, value = line.rstrip("\n").split("|")
            if arm not in arms:
                arms.append(arm)
            if (what, unit) not in rows:
                rows.append((what, unit))
            figures.setdefault((arm, what), []).append(float(value))
    return arms, rows, figures


def number(value):
    """Three digits that count, as a table needs them."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(values):
    if not values:
        return "-"
    if len(values) == 1:
        return number(values[0])
    return " ".join(number(f(values))
                    for f in (min, statistics.median, max))


def ratio(values, base):
    if not values or not base or statistics.median(base) == 0:
        return ""
    return f"x{statistics.median(values) / statistics.median(base):.2f}"


def main():
    arms, rows, figures = read(sys.argv[1])
    arms = sys.argv[2:] or arms
    width = max(20, max(len(arm) for arm in arms) + 1)
    print(f"{'min median max':34}" + arms[0].rjust(width) +
          "".join(arm.rjust(width + 7) for arm in arms[1:]))
    for what, unit in rows:
        base = figures.get((arms[0], what), [])
        line = f"{what + ', ' + unit:34}" + cell(base).rjust(width)
        for arm in arms[1:]:
            values = figures.get((arm, what), [])
            line += (cell(values).rjust(width) +
                     ratio(values, base).rjust(7))
        print(line)
    print(flush=True)


if __name__ == "__main__":
    main()
