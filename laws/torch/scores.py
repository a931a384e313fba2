"""Score formulas against FlexAttention's score_mod, biases against attn_mask, sinks against a concatenated column, in float64.

T5's buckets are transformers' own function where that is installed, else derived here from its formula. 52 checks; about 12 seconds.
    python laws/torch/scores.py [TOOL]
"""
import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from support.check import Checks
from support.problem import Problem, Score, Seen, by_flex, by_hand, by_sdpa, draw

GENERATOR = torch.Generator().manual_seed(11)
F32, BF16, F16, F64 = torch.float32, torch.bfloat16, torch.float16, torch.float64
NAMES = {F32: "f32", BF16: "bf16", F16: "f16", F64: "f64"}


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR)


SLOPE = normal(8).abs() / 4
RELATIVE = normal(8, 65)
BUCKETS = normal(8, 32)
HEAT = 0.5 + torch.rand(300, generator=GENERATOR)
GEOMETRIC = torch.tensor([2.0 ** -(h + 1) for h in range(8)])  # ALiBi, section 3, for 8 heads


def derived_bucket(relative_position: Tensor, bidirectional: bool, num_buckets: int, max_distance: int) -> Tensor:
    """Raffel et al. 2020 as in transformers: half the buckets exact, the others logarithmic up to max_distance."""
    bucket = torch.zeros_like(relative_position)
    if bidirectional:
        num_buckets //= 2
        bucket = (relative_position > 0).long() * num_buckets
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    exact = num_buckets // 2
    far = exact + (torch.log(distance.float() / exact) / math.log(max_distance / exact) * (num_buckets - exact)).long()
    return bucket + torch.where(distance < exact, distance, far.clamp(max=num_buckets - 1))


def bucket_function() -> tuple[str, Callable[[Tensor, bool, int, int], Tensor]]:
    try:
        from transformers.models.t5.modeling_t5 import T5Attention
    except ImportError:
        return "derived", derived_bucket
    return "transformers", T5Attention._relative_position_bucket


def t5(bidirectional: bool) -> Score:
    distance = torch.arange(-299, 300)
    bucket = bucket_function()[1](distance, bidirectional, 32, 128)
    return lambda s, b, h, q, k: s + BUCKETS[h, bucket[k - q + 299]]


def causal(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
    return k <= q


def softcap(cap: float) -> Score:
    return lambda s, b, h, q, k: cap * torch.tanh(s / cap)


SCORES: list[tuple[torch.dtype, list[str], Score, Seen | None]] = [
    (F32, ["30.0 * tanh(s / 30.0)"], softcap(30), causal),
    (BF16, ["5.0 * tanh(s / 5.0)"], softcap(5), causal),
    (F32, ["alibi(8)"], lambda s, b, h, q, k: s + GEOMETRIC[h] * (k - q), causal),
    (F16, ["alibi(8)"], lambda s, b, h, q, k: s + GEOMETRIC[h] * (k - q), causal),
    (F32, ["alibi(slope)"], lambda s, b, h, q, k: s + SLOPE[h] * (k - q), causal),
    (BF16, ["s + slope[h] * (k - q)"], lambda s, b, h, q, k: s + SLOPE[h] * (k - q), None),
    (F32, ["s - slope[h] * abs(q - k)"], lambda s, b, h, q, k: s - SLOPE[h] * (q - k).abs(), None),
    (F32, ["relative(relation, 32)"], lambda s, b, h, q, k: s + RELATIVE[h, (k - q).clamp(-32, 32) + 32], None),
    (BF16, ["relative(relation, 32)"], lambda s, b, h, q, k: s + RELATIVE[h, (k - q).clamp(-32, 32) + 32], causal),
    (F32, ["t5(buckets, 32, 128, true)"], t5(True), None),
    (BF16, ["t5(buckets, 32, 128, false)"], t5(False), causal),
    (F32, ["temperature(heat[q])"], lambda s, b, h, q, k: s / HEAT[q], causal),
    (F16, ["temperature(2.5)"], lambda s, b, h, q, k: s / 2.5, None),
    (F32, ["scale(0.25)"], lambda s, b, h, q, k: s * 0.25, causal),
    (F32, ["log(1.0 + exp(s))"], lambda s, b, h, q, k: torch.log(1.0 + torch.exp(s)), causal),
    (F32, ["s * sigmoid(s)"], lambda s, b, h, q, k: s * torch.sigmoid(s), causal),
    (F32, ["select(k < 4, s + 1.5, s)"], lambda s, b, h, q, k: torch.where(k < 4, s + 1.5, s), causal),
    (BF16, ["select(k % 5 == 0, s, -inf)"], lambda s, b, h, q, k: torch.where(k % 5 == 0, s, -torch.inf), None),
    (F32, ["s + 1000"], lambda s, b, h, q, k: s + 1000.0, causal),
    (F32, ["s + k * 10"], lambda s, b, h, q, k: s + k * 10.0, None),
    (F32, ["20.0 * tanh(s / 20.0)", "alibi(slope)"], lambda s, b, h, q, k: 20 * torch.tanh(s / 20) + SLOPE[h] * (k - q), causal),
    (F32, ["alibi(slope)", "20.0 * tanh(s / 20.0)"], lambda s, b, h, q, k: 20 * torch.tanh((s + SLOPE[h] * (k - q)) / 20), causal),
    (F64, ["alibi(slope)"], lambda s, b, h, q, k: s + SLOPE[h].double() * (k - q), causal),
    (F64, ["relative(relation, 32)"], lambda s, b, h, q, k: s + RELATIVE[h, (k - q).clamp(-32, 32) + 32], None),
    (F64, ["temperature(heat[q])"], lambda s, b, h, q, k: s / HEAT[q], causal),
    (F64, ["log(1.0 + exp(s))"], lambda s, b, h, q, k: torch.log(1.0 + torch.exp(s)), causal),
    (F64, ["s * sigmoid(s)"], lambda s, b, h, q, k: s * torch.sigmoid(s), causal),
    (F64, ["select(k % 5 == 0, s, -inf)"], lambda s, b, h, q, k: torch.where(k % 5 == 0, s, -torch.inf), None),
    (F64, ["alibi(8)", "20.0 * tanh(s / 20.0)"], lambda s, b, h, q, k: 20 * torch.tanh((s + GEOMETRIC[h] * (k - q)) / 20), causal),
]
TABLES = {"slope": SLOPE, "relation": RELATIVE, "buckets": BUCKETS, "heat": HEAT}


def by_score(dtype: torch.dtype, logits: float) -> Problem:
    return draw(dtype, 21, batch=1, heads=(8, 4), lengths=(300, 300), logits=logits)


def formula(checks: Checks, dtype: torch.dtype, texts: list[str], score: Score, seen: Seen | None, logits: float = 4.0) -> None:
    problem = replace(by_score(dtype, logits), score=score, seen=seen)
    tables = {name: table for name, table in TABLES.items() if any(name in text for text in texts)}
    arguments = [f"--score={text}" for text in texts] + ([] if seen is None else ["--mask", "causal"])
    note = f" ({bucket_function()[0]})" if "t5" in texts[0] else ""
    checks.compare(f"{NAMES[dtype]} {' '.join(arguments)}{note}", problem, arguments, by_flex, tables=tables)


def softcap_by_name(checks: Checks) -> None:
    """`softcap(30)` where the catalogue has it."""
    if "softcap" in checks.heed("list"):
        for dtype in NAMES:
            formula(checks, dtype, ["softcap(30)"], softcap(30), causal, logits=40.0)


def added(table: Tensor) -> Score:
    return lambda s, b, h, q, k: s + table[b, h, q, k]


def biases(checks: Checks) -> None:
    for shape in ((65, 300), (1, 65, 300), (4, 65, 300), (2, 4, 65, 300), (2, 1, 1, 300)):
        for dtype in (F32, BF16):
            table = (normal(*shape) * 2).to(dtype)
            table[normal(*shape) < -0.5] = -torch.inf
            table.view(-1, shape[-2], shape[-1])[:, -1] = -torch.inf  # an empty row at least
            problem = replace(draw(dtype, 13, lengths=(65, 300)), score=added(table.expand(2, 4, 65, 300)))
            arguments = ["--score", "bias(table)"]
            truth = by_sdpa(attn_mask=table.double())
            checks.compare(f"{NAMES[dtype]} --score bias(table) of shape {list(shape)} with -inf", problem, arguments, truth, tables={"table": table})


def sinks(checks: Checks) -> None:
    seen: Seen = lambda b, h, q, k: (k <= q) & (q - k < 64) & (q > 5)
    for dtype, name in NAMES.items():
        for size in (1.0, 30.0):
            problem = replace(draw(dtype, 17, heads=(4, 2)), sink=normal(4) * size, seen=seen)
            checks.compare(f"{name} sink of size {size:.0f}", problem, ["--mask", "window(64) & q > 5"], by_hand)


with Checks() as all_checks:
    for row in SCORES:
        formula(all_checks, *row)
    softcap_by_name(all_checks)
    biases(all_checks)
    sinks(all_checks)
