"""Times as the reader's own clock shows them; the log itself is in UTC."""

from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def zone() -> tzinfo:
    """The browser's time zone; UTC where it is not known."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def shown(moment: datetime) -> str:
    """A moment to the minute in the reader's time zone, e.g. "2026-03-01 14:05"."""
    return moment.astimezone(zone()).strftime("%Y-%m-%d %H:%M")


def first_moment(day: date) -> datetime:
    """The beginning of a day in the reader's time zone, in UTC."""
    return datetime.combine(day, time.min, zone()).astimezone(UTC)


def last_moment(day: date) -> datetime:
    """The end of a day in the reader's time zone, in UTC."""
    return datetime.combine(day, time.max, zone()).astimezone(UTC)
