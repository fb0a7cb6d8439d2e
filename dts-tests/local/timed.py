"""Cases that tell the time: a failure counts when nobody took the processor away meanwhile."""
import time

from local.stolen import Watch

TRIES = 4
CALM, LONGEST_WAIT = 1.0, 20.0
patience = 240.0  # seconds that one run of the runner waits for calm at most, over all its cases


def wait_calm(watch, say):
    """Waits for a calm second, as long as that may take; says so when none came."""
    global patience
    begun = time.monotonic()
    if not watch.wait_calm(CALM, min(LONGEST_WAIT, patience)):
        say("no calm second came")
    patience = max(0.0, patience - (time.monotonic() - begun))


def explain(run, watch=Watch):
    """Runs a case that does not tell the time: a failure counts, and says what was taken away."""
    with watch() as w:
        begun = w.now()
        outcome, text = run()
        return outcome, text if outcome != "FAIL" else f"{text}\n{w.since(begun)}"


def judge(run, again, say, watch=Watch):
    """Runs a case that tells the time: run() -> (outcome, text). An undisturbed failure counts at once. After a disturbed one
    the machine must be calm for a second, and again() -> (outcome, text) makes all that the case stands on anew. When the last
    try is disturbed too, nothing is known: the case is skipped, and says why."""
    with watch() as w:
        for n in range(1, TRIES + 1):
            begun = w.now()
            outcome, text = run()
            taken = w.since(begun)
            if outcome != "FAIL":
                return outcome, text
            if not taken.disturbs():
                return outcome, f"{text}\nnot disturbed: {taken}"
            say(f"try {n} of {TRIES} failed; {taken}:\n{text}")
            if n < TRIES:
                wait_calm(w, say)
                outcome, text = again()
                if outcome != "ok":
                    return outcome, text
    return "skip", f"disturbed in each of {TRIES} tries; in the last one {taken}"
