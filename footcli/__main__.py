"""`python -m footcli`: the same as the console script."""

from footcli.cli import main

if __name__ == "__main__":
    main()
