"""`python -m robustpose`, for launchers that start modules: torchrun, accelerate."""

from robustpose.cli import main

if __name__ == "__main__":
    main()
