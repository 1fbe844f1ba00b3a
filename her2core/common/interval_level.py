"""How wide the product's intervals are; a report or card keeps those of the day it was made."""

LEVEL = 0.95
LEVEL_TEXT = f"{100 * LEVEL:g} %"
# the quantiles between which an interval lies
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
