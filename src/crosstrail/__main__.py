"""`python -m crosstrail` and the console script: hand over to the command line."""

from crosstrail.cli import main

if __name__ == "__main__":
    main()
