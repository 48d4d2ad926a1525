"""Meridian for crosstrail: its accounts, credentials, audit log and records behind one `Cloud` value (cloud.py).

Meridian does not exist. It differs from the clouds that crosstrail brings wherever a cloud may: accounts are paths such as
`team-a/prod` or `Lab/x:canary`, requests carry a bearer token instead of a signature, there are no regions and no access keys, times are
milliseconds, and its audit log keeps 45 days, in pages of 25, and can filter by the actor alone.
"""
