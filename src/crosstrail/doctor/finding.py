"""What one look found: how it is, in which words, and what to do. It never holds a secret."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DoctorStatus(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """`area`: the part that was looked at, `subject`: what of it. `remedy`: a sentence; empty where nothing has to be done."""

    area: str
    subject: str
    status: DoctorStatus
    found: str
    remedy: str = ""


def ok(area: str, subject: str, found: str) -> DoctorFinding:
    return DoctorFinding(area, subject, DoctorStatus.OK, found)


def warning(area: str, subject: str, found: str, remedy: str) -> DoctorFinding:
    return DoctorFinding(area, subject, DoctorStatus.WARNING, found, remedy)


def failed(area: str, subject: str, found: str, remedy: str) -> DoctorFinding:
    return DoctorFinding(area, subject, DoctorStatus.FAILED, found, remedy)
