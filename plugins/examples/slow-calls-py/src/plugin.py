"""Counts model calls that took longer than a limit."""


class Metric:
    def __init__(self, settings):
        self.limit = settings["limit_ms"]
        self.slow = 0
        self.calls = 0

    def update(self, call):
        self.calls += 1
        duration = call.get("call.duration_ms")
        if duration is not None and duration >= self.limit:
            self.slow += 1

    def merge(self, other):
        self.slow += other.slow
        self.calls += other.calls

    def state(self):
        return [self.slow, self.calls]

    def restore(self, state):
        self.slow, self.calls = state

    def evaluate(self, out):
        out.set("slow", self.slow)
        out.set("calls", self.calls)
