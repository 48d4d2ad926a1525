"""SQL engines, one a file, behind the protocol of `base`."""
