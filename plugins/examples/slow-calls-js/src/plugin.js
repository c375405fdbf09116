// Counts model calls that took longer than a limit.
export class Metric {
  constructor(settings) {
    this.limit = settings.limit_ms;
    this.slow = 0;
    this.calls = 0;
  }

  update(call) {
    this.calls += 1;
    const duration = call.get("call.duration_ms");
    if (duration !== null && duration >= this.limit) this.slow += 1;
  }

  merge(other) {
    this.slow += other.slow;
    this.calls += other.calls;
  }

  state() {
    return [this.slow, this.calls];
  }

  restore(state) {
    [this.slow, this.calls] = state;
  }

  evaluate(out) {
    out.set("slow", this.slow);
    out.set("calls", this.calls);
  }
}
