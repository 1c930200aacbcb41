"""docs/grader-report.md and .json: how often the grader is wrong, counted."""

from collections.abc import Callable, Iterable

import msgspec
from tabulate import tabulate

from autograder.check_course.judge import Trial
from autograder.check_course.mutants import survivors
from autograder.check_course.run import CourseCheck, RungCheck
from autograder.check_course.stability import Flake
from autograder.course import Course
from autograder.grading.verdict import RungOutcome
from data.files import write_atomically


class Margin(msgspec.Struct, kw_only=True):
    """How near an item's limit right and wrong submissions came, as measured / tolerated: 1 is the limit.

    `right`: the largest of solution and alternatives. `wrong`: the smallest of those whose measure went over the limit;
    None if wrong submissions differ in kind (a shape, an exception, an infinite ratio), not by an amount.
    """

    milestone: int
    item: str
    right: float
    wrong: float | None


class RungFigures(msgspec.Struct, kw_only=True):
    milestone: int
    items: int
    mistakes: int
    caught: int
    named: int
    misnamed: int
    alternatives: int
    alternatives_full: int
    ported: int
    ported_named: int
    mutants: int
    mutants_killed: int
    reference_seconds: float


class Nothing(msgspec.Struct, kw_only=True):
    """What the submissions earn that do none of a rung's work: the best of them, which one it is, and where."""

    milestone: int
    submissions: int
    most: int
    whose: str
    items: list[str]


class Living(msgspec.Struct):
    """A mutant that gets full marks, and the reason why it may."""

    milestone: int
    mutant: str
    verdict: str
    why: str


class GraderReport(msgspec.Struct, kw_only=True):
    """The whole report; docs/grader-report.json is its JSON form."""

    rungs: list[RungFigures]
    total: dict[str, float]
    nothing: list[Nothing]
    margins: list[Margin]
    survivors: list[Living]
    unclassified: list[str]
    repeats: int
    flakes: list[Flake]
    problems: list[str]


def write(check: CourseCheck, course: Course) -> None:
    report = _report(check)
    docs = course.root / "docs"
    write_atomically(docs / "grader-report.json", msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    write_atomically(docs / "grader-report.md", _markdown(report).encode())


def _report(check: CourseCheck) -> GraderReport:
    rungs = [_figures(rung) for rung in check.rungs]
    living: list[Living] = []
    unclassified: list[str] = []
    for rung in check.rungs:
        known = survivors(rung.rung)
        for name in (subject.name for subject, outcome in rung.mutants if outcome.full):
            if name in known:
                living.append(Living(rung.rung.number, name, known[name].verdict, known[name].why))
            else:
                unclassified.append(f"milestone {rung.rung.number}: {name}")
    return GraderReport(
        rungs=rungs,
        total=_total(rungs, len(check.flakes)),
        nothing=[_nothing(rung) for rung in check.rungs if rung.nothing],
        margins=[margin for rung in check.rungs for margin in _margins(rung)],
        survivors=living,
        unclassified=unclassified,
        repeats=check.repeats,
        flakes=check.flakes,
        problems=[str(problem) for problem in check.problems],
    )


def _figures(rung: RungCheck) -> RungFigures:
    def count(trials: list[Trial], holds: Callable[[Trial], object]) -> int:
        return sum(bool(holds(trial)) for trial in trials)

    return RungFigures(
        milestone=rung.rung.number,
        items=len(rung.rung.items),
        mistakes=len(rung.trials),
        caught=count(rung.trials, lambda trial: trial.caught),
        named=count(rung.trials, lambda trial: trial.named),
        misnamed=count([*rung.trials, *rung.ported], lambda trial: trial.misnamed),
        alternatives=len(rung.alternatives),
        alternatives_full=sum(outcome.full for _, outcome in rung.alternatives),
        ported=len(rung.ported),
        ported_named=count(rung.ported, lambda trial: trial.named),
        mutants=len(rung.mutants),
        mutants_killed=sum(not outcome.full for _, outcome in rung.mutants),
        reference_seconds=round(rung.solution[1].seconds, 2),
    )


def _nothing(rung: RungCheck) -> Nothing:
    subject, outcome = max(rung.nothing, key=lambda graded: graded[1].points)
    earned = [item.id for item in outcome.items if item.points]
    return Nothing(
        milestone=rung.rung.number,
        submissions=len(rung.nothing),
        most=outcome.points,
        whose=subject.name if earned else "",
        items=earned,
    )


def _total(rungs: list[RungFigures], flakes: int) -> dict[str, float]:
    def add(field: str) -> int:
        return sum(getattr(rung, field) for rung in rungs)

    return {
        "mistakes": add("mistakes"),
        "caught_percent": _percent(add("caught"), add("mistakes")),
        "named_percent": _percent(add("named") + add("ported_named"), add("mistakes") + add("ported")),
        "misnamed": add("misnamed"),
        "alternatives": add("alternatives"),
        "alternatives_full_percent": _percent(add("alternatives_full"), add("alternatives")),
        "ported": add("ported"),
        "mutants": add("mutants"),
        "mutants_killed_percent": _percent(add("mutants_killed"), add("mutants")),
        "flakes": flakes,
    }


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 100.0


def _margins(rung: RungCheck) -> Iterable[Margin]:
    right = _strains([rung.solution[1], *(outcome for _, outcome in rung.alternatives)])
    wrong = _strains(
        [*(trial.outcome for trial in (*rung.trials, *rung.ported)), *(outcome for _, outcome in rung.mutants)]
    )
    for item in rung.rung.items:
        largest = max(right[item.id], default=0.0)
        over = [strain for strain in wrong[item.id] if strain > 1]
        if largest > 0:
            smallest = min(over) if over else None
            yield Margin(milestone=rung.rung.number, item=item.id, right=largest, wrong=smallest)


def _strains(outcomes: Iterable[RungOutcome]) -> dict[str, list[float]]:
    strains: dict[str, list[float]] = {}
    for outcome in outcomes:
        for item in outcome.items:
            strains.setdefault(item.id, [])
            if item.strain is not None:
                strains[item.id].append(item.strain)
    return strains


def _markdown(report: GraderReport) -> str:
    total = report.total
    headers = ["rung", "items", "mistakes", "caught", "named", "misnamed", "alternatives", "full", "in alternatives",
               "named", "mutants", "killed", "reference, s"]  # fmt: skip
    rows = [list(msgspec.structs.astuple(rung)) for rung in report.rungs]
    margins = [
        [margin.milestone, margin.item, f"{margin.right:.2g}", "" if margin.wrong is None else f"{margin.wrong:.3g}"]
        for margin in report.margins
    ]
    nothing = [
        [idle.milestone, idle.submissions, idle.most, idle.whose, ", ".join(idle.items)] for idle in report.nothing
    ]
    survived = [[living.milestone, _cell(living.mutant), living.verdict, living.why] for living in report.survivors]
    lines = [
        "# How often the grader is wrong",
        "",
        "Made by `make check-course`. `grader-report.json` holds the same figures.",
        "",
        f"- Of {total['mistakes']:.0f} catalogued mistakes, {total['caught_percent']:g} % are caught.",
        f"- {total['named_percent']:g} % of them, and of the {total['ported']:.0f} that were made in alternatives as"
        f" well, get their right name; {total['misnamed']:.0f} get a wrong one.",
        f"- Of {total['alternatives']:.0f} right answers in other styles, {total['alternatives_full_percent']:g} % get"
        " full marks.",
        f"- Of {total['mutants']:.0f} mechanical mutants of the reference, {total['mutants_killed_percent']:g} % lose"
        f" points; the others are listed below, each with its reason ({len(report.unclassified)} without).",
        f"- {report.repeats} gradings with fresh seeds, on a machine with twice as many graders as cores, changed"
        f" {total['flakes']:.0f} verdicts.",
        f"- {len(report.problems)} problems in all.",
        "",
        "## Rung by rung",
        "",
        _table(rows, headers),
        "",
        "## Without the work",
        "",
        "What submissions earn that look right and do nothing: zeros, echoes, constants, random numbers and others, the"
        " best of each rung.",
        "",
        _table(nothing, ["rung", "submissions", "most points", "whose", "at"]),
        "",
        "## Margins",
        "",
        "Measured over tolerated, for items that compare numbers: 1 is the limit. Right submissions must stay under it"
        " (the largest of solution and alternatives), wrong ones must go over it (the smallest that did).",
        "",
        _table(margins, ["rung", "item", "worst right", "best wrong"]),
        "",
        "## Mutants that live",
        "",
        _table(survived, ["rung", "mutant", "verdict", "why"]),
        "",
        *_listed("## Mutants without a verdict", report.unclassified),
        *_listed("## Verdicts that changed", [str(flake) for flake in report.flakes]),
        *_listed("## Problems", report.problems),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(rows: list[list], headers: list[str]) -> str:
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def _listed(title: str, lines: list[str]) -> list[str]:
    return [title, "", *(f"- {line}" for line in lines), ""] if lines else []
