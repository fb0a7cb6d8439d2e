"""Cases that fail now and then: what a gate makes of one failure among a thousand cases."""

PASSES = 3  # in a row, each on a suite made anew


class Doubts:
    """How many failures may be looked at again in one run, and what came of those. None unless the caller asks for some: whoever
    works on a case wants its first failure."""

    def __init__(self, limit, say):
        self.limit, self.say, self.of, self.unsteady = limit, say, "", []

    def settle(self, run, again, text):
        """A case failed, and all that it stood on ended as it should. Runs it again; one more failure is final, with what the
        first one said. run, again: () -> (outcome, text), as timed.judge() takes them."""
        if len(self.unsteady) >= self.limit:
            return "FAIL", text
        self.say(f"failed once:\n{text}")
        for _ in range(PASSES):
            for step in (again, run):
                outcome, why = step()
                if outcome != "ok":
                    return "FAIL", f"{text}\nand again: {why}"
        self.unsteady.append(self.of)
        return "ok", f"unsteady: failed once, then passed {PASSES} times in a row"
