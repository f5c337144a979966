"""`python -m bench.shipped`: the emulator as it is shipped, but made like AWS, to measure `local` against."""

from ministack import app as ministack_app

from local.emulator import bedrock, fidelity, gateway


def main() -> None:
    """Serve by the emulator's own server until told to stop."""
    fidelity.patch()
    gateway.patch()
    bedrock.patch()
    ministack_app.main()


if __name__ == "__main__":
    main()
