"""Events and findings in the words of OCSF 1.5.0, as plain JSON objects: https://schema.ocsf.io/1.5.0

`events.py` and `findings.py` each have one function. Nothing here asks anybody anything, and no text of an event is changed:
what OCSF has no place for stands under `unmapped`.
"""
