"""A report inside an answer's size, for a model: what gives way is counted, and it says so.

Decides how much of each part is told, the most that fits.
"""

from __future__ import annotations

from crosstrail.answers.render import fence, shorten, size
from crosstrail.answers.report.gathered import IncidentReport
from crosstrail.answers.report.markdown import as_markdown
from crosstrail.answers.report.sections import Measure, document

BRIEF_BYTES = 20_000
_MEASURES = (
    Measure(40, 3, 40, 40),
    Measure(25, 3, 20, 25),
    Measure(15, 2, 12, 15),
    Measure(8, 1, 8, 8),
    Measure(4, 1, 4, 4),
    Measure(1, 1, 1, 1),
)


def brief(report: IncidentReport, budget: int = BRIEF_BYTES) -> str:
    """Markdown between two lines that say whose text it is; all of a report holds texts of logs."""
    for measure in _MEASURES:
        text = fence(as_markdown(document(report, measure)).rstrip())
        if size(text) <= budget:
            return text
    return fence(shorten(as_markdown(document(report, _MEASURES[-1])), budget - 200))
