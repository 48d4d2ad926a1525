"""Volcengine: its CloudTrail (火山引擎云审计) and STS, behind the value `VOLCENGINE` of cloud.py."""
