"""docs/reliability.md from the results, and what counts as a promise not kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from her2core.common.text import markdown_table

WITHIN_1_S = 0.99
MEMORY_GROWTH = 0.10  # late against early; more is no longer called flat

Result = Mapping[str, Any]

_HEAD = """# Reliability

What the workstation promises a reviewer: *what was called saved is there.* These figures are
measured by commands, on real processes, databases, servers and browsers, with nothing replaced;
this page is written by `python -m benchmarks.reliability report` from the JSON files in
`benchmarks/reliability/`.
"""


def page(found: Mapping[str, Result], pages: Sequence[Result] = ()) -> str:
    """The page as Markdown; a measurement without a result says how to make one.

    Args:
        found: the results, by name.
        pages: rows of benchmarks/pages.json.
    """
    parts = [_HEAD]
    for title, prefix, command, section in (
        ("Killed at random moments", "kills", "kills --number 200", _kills),
        ("Many writers at once", "writers", "writers --seconds 60 --database sqlite", _writers),
        ("Many browsers at one server", "load", "load --sessions 20 --seconds 300", _load),
    ):
        results = {name: one for name, one in found.items() if name.split("-")[0] == prefix}
        parts.append(f"## {title}\n")
        parts += [section(one) for one in results.values()] or [
            f"Not measured yet: `python -m benchmarks.reliability {command}`.\n"
        ]
        for name, one in results.items():
            kept = failures(name, one)
            said = " ".join(kept) if kept else "Every promise kept."
            parts.append(f"`{name}.json`: {said} {_machine(one)}\n")
    return "\n".join([*parts, _pages(pages)])


def _pages(rows: Sequence[Result]) -> str:
    """What pages cost with a large store against a small one."""
    if not rows:
        return "## Pages of a large store\n\nNot measured yet: `python -m benchmarks.pages`.\n"
    lines = [
        "## Pages of a large store",
        "",
        f"Plain: {rows[0]['against']}.",
        "The fastest of several turns, drawn without a browser: what else runs on the machine only",
        "adds. `python -m benchmarks.pages` writes `benchmarks/pages.json`.",
        "",
        *markdown_table(("page", "plain", "ours", "ratio", "goal", "holds"), map(_cells, rows)),
        f"{rows[0]['machine']}.",
        "",
    ]
    return "\n".join(lines)


def _cells(row: Result) -> tuple[str, ...]:
    peer, ours = (f"{row[side]:.3g} {row['unit']}" for side in ("peer", "ours"))
    holds = "yes" if row["holds"] else "**no**"
    return row["name"], peer, ours, f"{row['ratio']:.2f}", f"at most {row['goal']}", holds


def failures(name: str, result: Result) -> list[str]:
    """One sentence for each promise that this result does not keep."""
    kind = name.split("-")[0]
    if kind == "kills":
        found = [f"**Not kept:** {sentence}" for sentence in result["wrong"]]
        if not result["reviews_acknowledged"]:
            found.append("**Not kept:** nothing was saved at all.")
        return found
    found = [f"**Not kept:** {sentence}" for sentence in result["chain"]]
    if not result["reviews_in_the_log" if kind == "load" else "reviews"]:
        found.append("**Not kept:** nothing was saved at all.")
    if kind == "writers":
        found += [
            f"**Not kept:** {result[key]} reviews {words}."
            for key, words in (("lost", "lost"), ("doubled", "doubled"), ("half", "half"))
            if result[key]
        ]
        found += [
            f"**Not kept:** {times} times “{sentence}”"
            for sentence, times in result["refused"].items()
        ]
        return found
    if result["doubled"]:
        found.append(f"**Not kept:** {result['doubled']} reviews doubled.")
    if result["reviews_in_the_log"] < result["saved"]:
        found.append("**Not kept:** an answer was called saved and is not in the log.")
    found += [f"**Not kept:** {trouble}" for trouble in result["troubles"]]
    saved = result["in_log_within_1_s"]
    if saved is None or saved < WITHIN_1_S:
        found.append(f"**Not kept:** {_percent(saved)} of answers saved within 1 s.")
    if result["memory_growth"] is None or result["memory_growth"] > MEMORY_GROWTH:
        found.append(f"**Not kept:** memory grew by {_percent(result['memory_growth'])}.")
    return found


def _kills(one: Result) -> str:
    during = ", ".join(f"{number} during {step}" for step, number in one["kills_during"].items())
    readers = (
        "the networks and the stain measurement"
        if one["networks"]
        else ("the stain measurement (the networks write nothing)")
    )
    return (
        f"- **{one['database']}**: {one['kills']} × `kill -9` ({during}); scoring by {readers}.\n"
        f"- Acknowledged before the kills: {one['reviews_acknowledged']} reviews, "
        f"{one['uploads_acknowledged']} uploads, {one['exports_acknowledged']} exports. In the "
        f"log afterwards: {one['reviews_in_the_log']} reviews.\n"
        f"- Lost, changed, half or unreadable: {len(one['wrong'])}. Temporary files found after "
        f"the kills and swept by the start that followed: {one['temporaries_swept']}.\n"
        f"- Longest opening of the database after a kill: {one['opening_seconds_largest']} s.\n"
    )


def _writers(one: Result) -> str:
    fewest, most = one["fewest_and_most_per_writer"]
    return (
        f"- **{one['database']}**: {one['writers']} programs saved without a pause for "
        f"{one['seconds']:g} s: {one['reviews']} reviews, {one['reviews_per_second']} a second "
        f"(fewest and most of one program: {fewest} and {most}); every tenth answer sent twice.\n"
        f"- Lost {one['lost']}, doubled {one['doubled']}, half {one['half']}; refused as busy or "
        f"otherwise: {sum(one['refused'].values())}.\n"
        f"- A save took {one['seconds_median']} s (median), {one['seconds_99_percent']} s "
        f"(99 %), {one['seconds_largest']} s (longest), waiting for the others included.\n"
    )


def _load(one: Result) -> str:
    return (
        f"- {one['sessions']} browser sessions reviewed for {one['seconds']:g} s, one answer each "
        f"{one['pace']:g} s or so, on SQLite; browsers and server shared the machine.\n"
        f"- {one['saved']} answers called saved, {one['reviews_in_the_log']} reviews in the log, "
        f"{one['doubled']} doubled. Key presses repeated: {one['presses_repeated']}.\n"
        f"- Saved, that is committed and seen by a second reader of the database: "
        f"{_percent(one['in_log_within_1_s'])} within 1 s of pressing Enter; median "
        f"{one['in_log_median']} s, 99 % {one['in_log_99_percent']} s, longest "
        f"{one['in_log_largest']} s.\n"
        f"- The page said so, with the next patch drawn by a browser on the same cores: "
        f"{_percent(one['shown_within_1_s'])} within 1 s; median {one['wait_median']} s, 99 % "
        f"{one['wait_99_percent']} s, longest {one['wait_largest']} s. The server used "
        f"{one['server_processor_seconds_per_answer']} s of processor time for each answer, "
        "drawing the next patch included.\n"
        f"- Memory of the server: {one['memory_early_mib']} MiB early, {one['memory_late_mib']} "
        f"MiB late ({_percent(one['memory_growth'])}).\n"
    )


def _machine(one: Result) -> str:
    machine = one["machine"]
    return (
        f"{machine['cores']} cores of {machine['processor']}, Python {machine['python']}, "
        f"{machine['measured_at'][:10]}."
    )


def _percent(share: float | None) -> str:
    return "no figure" if share is None else f"{100 * share:.1f} %"
