"""The restart window."""

from __future__ import annotations

from supervisor.core.window import NS_PER_SECOND, RestartWindow


def test_intensity_restarts_are_allowed() -> None:
    """As many as the intensity, and not one more."""
    window = RestartWindow(2, 5000)

    assert [window.allows(0) for _ in range(3)] == [True, True, False]


def test_no_restart_with_intensity_zero() -> None:
    """Intensity 0 forgives nothing."""
    assert not RestartWindow(0, 5000).allows(123)


def test_restart_exactly_period_old_counts() -> None:
    """The period includes its beginning."""
    window = RestartWindow(1, 5000)
    window.allows(0)

    assert not window.allows(5 * NS_PER_SECOND)


def test_restart_just_older_is_forgotten() -> None:
    """The fine clock forgets a restart a nanosecond after the period."""
    window = RestartWindow(1, 5000)
    window.allows(0)

    assert window.allows(5 * NS_PER_SECOND + 1)


def test_whole_seconds() -> None:
    """OTP's reading of the clock still counts a restart nearly a second after the period."""
    window = RestartWindow(1, 5000, whole_seconds=True)
    window.allows(0)

    assert not window.allows(6 * NS_PER_SECOND - 1)


def test_whole_seconds_end() -> None:
    """... and surely not a second after it."""
    window = RestartWindow(1, 5000, whole_seconds=True)
    window.allows(0)

    assert window.allows(6 * NS_PER_SECOND)


def test_time_before_zero() -> None:
    """A monotonic clock may begin anywhere."""
    window = RestartWindow(1, 1000)
    window.allows(-10 * NS_PER_SECOND)

    assert window.allows(-8 * NS_PER_SECOND)
