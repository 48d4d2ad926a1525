"""Every option there is; the only reader of os.environ."""
