"""`python -m crosstrail` and the console script: hand over to the command line."""

from crosstrail.first_process import start_below


def main() -> None:
    """Run one command of crosstrail and leave with its exit status."""
    start_below()  # first of all: until then process 1 of a container hears no signal
    from crosstrail.cli import main as run

    run()


if __name__ == "__main__":
    main()
