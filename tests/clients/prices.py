"""Writes tests/fixtures/prices/{triples,golden}.json: what genai-prices of PyPI says that calls cost.

    pip install genai-prices==0.2.1 && python3 tests/clients/prices.py

The version is the one of the crate in Cargo.lock. Costs are rounded half up to 10^-9 dollars, as llm-cost does.
"""

import json
import random
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP
from pathlib import Path

from genai_prices import Usage, calc_price
from genai_prices.data import providers

HERE = Path(__file__).resolve().parent.parent / "fixtures"
TIMES = ["2024-07-01T00:00:00Z", "2026-03-15T05:59:59Z", "2026-10-18T23:59:59Z", "2026-10-19T00:00:00Z", "2026-11-23T08:00:00Z", "2027-01-01T17:00:00Z"]
PARTS = {
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "cache_write_1h_tokens": "llm.usage.cache_creation.ephemeral_1h_input_tokens",
    "input_audio_tokens": "gen_ai.usage.audio.input_tokens",
    "cache_audio_read_tokens": "gen_ai.usage.audio.cache_read.input_tokens",
    "output_reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "output_audio_tokens": "gen_ai.usage.audio.output_tokens",
}


def nano(provider, model, usage, time):
    moment = datetime.fromisoformat(time.replace("Z", "+00:00")).astimezone(timezone.utc)
    price = calc_price(Usage(**usage), model, provider_id=provider, genai_request_timestamp=moment)
    return int((price.total_price * 10**9).to_integral_value(ROUND_HALF_UP)), price


def usage_of(dice):
    size = dice.choice([7, 1_234, 31_999, 32_001, 128_001, 199_999, 200_000, 200_001, 272_001, 600_000])
    usage = {"input_tokens": size, "output_tokens": dice.randrange(0, 20_000)}
    kind = dice.randrange(5)
    if kind in (1, 2):
        usage["cache_read_tokens"] = size // 3
    if kind == 2:
        usage["cache_write_tokens"] = size // 4
        usage["cache_write_1h_tokens"] = size // 9
    if kind == 3:
        usage["output_reasoning_tokens"] = usage["output_tokens"] // 2
    if kind == 4:
        usage.update(cache_read_tokens=size // 3, input_audio_tokens=size // 2, cache_audio_read_tokens=size // 5)
        usage["output_audio_tokens"] = usage["output_tokens"] // 3
    return usage


def triples():
    dice = random.Random(20261123)
    found = []
    for provider in providers:
        dated = [model for model in provider.models if isinstance(model.prices, list)]
        chosen = dice.sample(provider.models, min(6, len(provider.models))) + dice.sample(dated, min(8, len(dated)))
        for model in chosen:
            usage, time = usage_of(dice), dice.choice(TIMES)
            try:
                cost, price = nano(provider.id, model.id, usage, time)
            except Exception:
                continue  # contradicting counts
            attributes = {PARTS[key]: count for key, count in usage.items() if key in PARTS}
            found.append({"provider": provider.id, "model": model.id, "time": time, "input": usage["input_tokens"],
                          "output": usage["output_tokens"], "attributes": attributes, "priced_as": f"{price.provider.id}/{price.model.id}",
                          "nano_usd": cost})
    return found


def golden():
    ends = {}
    for line in (HERE / "golden/monitor-events.ndjson").read_text().splitlines():
        event = json.loads(line)
        attributes = event.get("attributes") or {}
        if event["name"] in ("llm.call.finish", "llm.call.end") and "llm.usage.input_tokens" in attributes:
            ends[event["trace_id"], event["span_id"]] = (event["timestamp"], attributes)
    by_model = {}
    for time, attributes in ends.values():
        usage = {"input_tokens": attributes["llm.usage.input_tokens"], "output_tokens": attributes["llm.usage.output_tokens"]}
        moment = datetime.fromisoformat(time.replace("Z", "+00:00"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        cost, _ = nano(attributes["llm.vendor"], attributes["llm.model"], usage, moment.isoformat())
        by_model[attributes["llm.model"]] = by_model.get(attributes["llm.model"], 0) + cost
    return {"calls": len(ends), "nano_usd": sum(by_model.values()), "by_model": by_model}


(HERE / "prices").mkdir(exist_ok=True)
lines = ",\n".join(json.dumps(triple) for triple in triples())
(HERE / "prices/triples.json").write_text(f"[\n{lines}\n]\n")
(HERE / "prices/golden.json").write_text(json.dumps(golden(), indent=1) + "\n")
