"""The log as a table of which one row can be opened."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import streamlit as st

from her2core.common.text import cell_text
from her2core.models.architectures import ARCHITECTURES, model_name
from her2core.reviews.columns import ANSWER, answer_texts
from her2core.reviews.patch_names import distinct_names
from her2core.reviews.records import Review
from her2core.reviews.worklist import model_gap, reader_gap
from pages.log_parts import times

_AGREES = {True: "agrees", False: "disagrees", None: "–"}


def draw(reviews: list[Review], *, height: int | Literal["auto"] = "auto") -> Review | None:
    """Show the reviews in the order given.

    Returns:
        The review opened: the row chosen, else None.
    """
    ids = [review.id for review in reviews]
    with_corrections = any(r.supersedes or r.superseded_by for r in reviews)
    event = st.dataframe(
        as_frame(reviews, with_corrections=with_corrections),
        height=height,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        # Rows are chosen by position: another list of rows needs another widget.
        key=f"log_table_{hash(tuple(ids))}",
        column_config={
            "Entry": st.column_config.NumberColumn(width=60, format="%d", pinned=True),
            "Correction": st.column_config.TextColumn(width=110),
            "Recorded": st.column_config.TextColumn(f"Recorded ({times.zone()})", width=140),
            "Own": st.column_config.TextColumn("Own score", width=75),
            **{
                f"{said}{network.title}": st.column_config.TextColumn(
                    width=28 + 7 * len(f"{said}{network.title}"), help=meaning
                )
                for network in ARCHITECTURES.values()
                for said, meaning in (
                    ("", None),
                    ("With ", "What the reviewer said of it"),
                )
            },
            "Stain": st.column_config.TextColumn(
                width=60, help="Score of the stain measurement, which needs no network"
            ),
            "Model gap": st.column_config.NumberColumn(
                width=85, format="%d", help="Grades between the verdicts of the two models"
            ),
            "Reader gap": st.column_config.NumberColumn(
                width=90,
                format="%d",
                help="Grades between the models and the stain measurement together",
            ),
            "Assessable": st.column_config.TextColumn(
                width=80, help="no: hardly any staining, and too few tumour cells for a score of 0"
            ),
            "File": st.column_config.TextColumn(width=180),
            "Comment": st.column_config.TextColumn(width="medium"),
        },
        alt="Reviews, newest first. Choose a row to open its image and verdicts.",
    )
    rows = event.selection.rows
    if rows and rows[0] < len(reviews):
        return reviews[int(rows[0])]
    return None


def shown_names(reviews: list[Review]) -> dict[str, str]:
    """sha256 -> name of the patch, told apart from others of the same name in this list."""
    return distinct_names({review.patch.sha256: review.patch.name for review in reviews})


def as_frame(reviews: list[Review], *, with_corrections: bool) -> pd.DataFrame:
    """One row per review, for reading; exports have their own columns."""
    rows = []
    names = shown_names(reviews)
    for review in reviews:
        row: dict[str, object] = {
            "Entry": review.id,
            **({"Correction": _correction(review)} if with_corrections else {}),
            "Recorded": times.shown(review.recorded_at),
            "Reviewer": cell_text(review.reviewer),
            "Own": review.own_score.label,
        }
        for architecture in ARCHITECTURES:
            verdict = review.verdict(architecture)
            row[model_name(architecture)] = "–" if verdict is None else verdict.score.label
            row[f"With {model_name(architecture)}"] = _AGREES[review.agrees.get(architecture)]
        row["Stain"] = "–" if review.stain is None else review.stain.verdict
        row["Model gap"] = model_gap(review.verdicts)
        row["Reader gap"] = reader_gap(review.verdicts, review.stain)
        row["File"] = cell_text(names[review.patch.sha256])
        answers = answer_texts(review)
        row["Comment"] = cell_text(answers["comment"])
        row["Assessable"] = "–" if review.assessability().assessable else "no"
        for column in ANSWER:
            if column.name not in ("own_score", "comment"):  # they stand further left
                row[column.title] = cell_text(answers[column.name]) or "–"
        row["Blind"] = "blind" if review.blind else "–"
        rows.append(row)
    return pd.DataFrame(rows)


def _correction(review: Review) -> str:
    parts = []
    if review.supersedes is not None:
        parts.append(f"corrects {review.supersedes}")
    if review.superseded_by is not None:
        parts.append(f"corrected by {review.superseded_by}")
    return ", ".join(parts)
