"""Setting crosstrail up: what this machine and its clouds have, and the crosstrail.yaml that says so."""
