"""One cloud a file, behind the protocols of `base`."""
