#!/usr/bin/env python3
"""Agent-loop traffic: every model request carries the whole history, as real agents send it. Deterministic for a given --seed.
  python3 gen_loop.py --out loop.jsonl [--sessions 20] [--turns 40] [--end 2026-11-24T08:00:00]
A turn = llm.call.start (system prompt, tool definitions, full history) + llm.call.finish + one tool.execution/tool.result whose output joins the
history. Requests grow from about 8 kB to about 90 kB (40 turns); tool outputs are JSON, code, prose and log lines of 0.2 to 6 kB, all distinct."""
import argparse, datetime as dt, json, os, random

p = argparse.ArgumentParser()
p.add_argument("--golden", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "golden", "monitor-events.ndjson")); p.add_argument("--out", required=True); p.add_argument("--sessions", type=int, default=20)
p.add_argument("--turns", type=int, default=40); p.add_argument("--end"); p.add_argument("--seed", type=int, default=11)
a = p.parse_args(); R = random.Random(a.seed)
golden = [json.loads(l) for l in open(a.golden)]
context = next(e for e in golden if e["name"] == "llm.call.start")["attributes"]
context = {k: v for k, v in context.items() if k.split(".")[0] in ("env", "host", "os", "process")}
WORDS = ("agent tool plan order refund policy invoice customer weather city search query result table column index error retry timeout token model prompt "
         "branch commit deploy cluster node memory latency budget forecast region account ticket status pending closed open user name date time value").split()
hexid = lambda n: "%0*x" % (n, R.getrandbits(4 * n))
prose = lambda n: " ".join(R.choice(WORDS) for _ in range(n)).capitalize() + "."

def output():
    """One tool output; its kind and length vary, and no two are alike."""
    n = int(R.lognormvariate(2.6, 0.9)) + 2; kind = R.randrange(4)
    if kind == 0: return json.dumps([{"id": R.randrange(10**9), "title": prose(4), "score": round(R.random(), 6), "tags": R.sample(WORDS, 3)} for _ in range(min(n, 40))])
    if kind == 1: return "\n".join(f"    {R.choice(WORDS)}_{i} = {R.choice(WORDS)}({R.randrange(10**6)}, '{hexid(8)}')  # {prose(3)}" for i in range(min(n, 60)))
    if kind == 2: return "\n".join(prose(R.randint(8, 30)) for _ in range(min(n, 25)))
    return "\n".join(f"2026-11-{R.randint(1, 23):02d}T{R.randrange(24):02d}:{R.randrange(60):02d}:{R.randrange(60):02d}Z {R.choice(['INFO', 'WARN', 'ERROR'])} {R.choice(WORDS)}: {prose(7)}" for _ in range(min(n, 60)))

SYSTEM = [prose(14) for _ in range(60)]; TOOLS = [{"name": f"{w}_tool", "description": prose(25), "input_schema": {"type": "object", "properties": {x: {"type": "string", "description": prose(8)} for x in R.sample(WORDS, 4)}}} for w in R.sample(WORDS, 12)]
end = dt.datetime.fromisoformat(a.end) if a.end else dt.datetime(2026, 11, 24, 8)
stamp = lambda t: t.isoformat(timespec="microseconds") + "Z"
events = []
for s in range(a.sessions):
    agent = f"loop-agent-{s % 5}"; trace = hexid(32); session = f"{hexid(8)}-{hexid(4)}-4{hexid(3)}-a{hexid(3)}-{hexid(12)}"
    system = " ".join(SYSTEM[(s % 5) * 12:(s % 5) * 12 + 12]); history = [{"role": "user", "content": prose(R.randint(15, 80))}]; t = end - dt.timedelta(hours=R.random() * 100 + 3)
    def event(name, span, attrs, level="INFO"):
        events.append({"schema_version": "1.0", "timestamp": stamp(t), "trace_id": trace, "span_id": span, "parent_span_id": None, "name": name, "level": level,
                       "attributes": {**attrs, **context, "session.id": session}, "agent_id": agent})
    for turn in range(a.turns):
        span = hexid(16); t += dt.timedelta(seconds=R.random() * 5); request = {"model": "claude-3-5-sonnet-20240620", "max_tokens": 1024, "temperature": 0.2, "system": system, "tools": TOOLS, "messages": history}
        size = len(json.dumps(request)) // 4
        event("llm.call.start", span, {"llm.vendor": "anthropic", "llm.model": request["model"], "llm.request.timestamp": stamp(t), "llm.request.data": json.loads(json.dumps(request))})
        took = int(R.lognormvariate(7.3, 0.5)); t += dt.timedelta(milliseconds=took); call = f"toolu_{hexid(24)}"; tool = R.choice(TOOLS)["name"]; text = prose(R.randint(10, 70))
        content = [{"type": "text", "text": text}, {"type": "tool_use", "id": call, "name": tool, "input": {"q": prose(6)}}]
        event("llm.call.finish", span, {"llm.vendor": "anthropic", "llm.model": request["model"], "llm.response.id": f"msg_{hexid(24)}", "llm.response.timestamp": stamp(t), "llm.response.duration_ms": took,
              "llm.response.stop_reason": "tool_use", "llm.response.content": content, "llm.usage.input_tokens": size, "llm.usage.output_tokens": len(text) // 4 + 20})
        made = output(); work = hexid(16); event("tool.execution", work, {"tool.name": tool, "tool.params": {"q": content[1]["input"]["q"]}}); t += dt.timedelta(milliseconds=R.randint(5, 900))
        event("tool.result", work, {"tool.name": tool, "tool.status": "success", "tool.result": made})
        history = history + [{"role": "assistant", "content": content}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": made}]}]
events.sort(key=lambda e: e["timestamp"])
size = 0; requests = []
with open(a.out, "w") as f:
    for e in events:
        line = json.dumps(e); size += len(line) + 1; f.write(line + "\n")
        if e["name"] == "llm.call.start": requests.append(len(line))
print(f"{len(events)} events, {size} bytes; requests: mean {sum(requests) // len(requests)}, max {max(requests)} bytes")
