"""What has to hold before any test runs."""

import signal


def pytest_configure():
    """Heed SIGINT, which a shell tells what it starts in the background to ignore: tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
