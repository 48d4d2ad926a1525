"""What every message passes: admission, access rules, limits, the record of calls."""
