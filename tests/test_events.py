"""Events are kept in order, and each looker learns of each one once."""

from thermoseg.events import EVENTS_KEPT, EventLog, SessionEvent, events_after


def test_events_are_followed_without_missing_or_repeating_one() -> None:
    log = EventLog()
    assert events_after(log.events, None) == ()
    for text in ("a", "b", "b"):
        log.append(SessionEvent(1.0, text, 2.0))
    first, second, third = log.events

    assert second == third
    assert events_after(log.events, None) == (first, second, third)
    assert events_after(log.events, first) == (second, third)
    assert len(events_after(log.events, second)) == 1
    assert events_after(log.events, third) == ()


def test_the_oldest_events_are_forgotten() -> None:
    log = EventLog()
    for number in range(EVENTS_KEPT + 3):
        log.append(SessionEvent(float(number), str(number), 0.0))
    seen = SessionEvent(0.0, "0", 0.0)

    assert len(log.events) == EVENTS_KEPT
    assert (log.events[0].text, log.events[-1].text) == ("3", str(EVENTS_KEPT + 2))
    assert events_after(log.events, seen) == log.events
