"""AWS: CloudTrail, STS, Organizations and the config files, behind the value `AWS` of cloud.py."""
