"""Shapes, element types, alignment, scale, heads and large logits, against scaled_dot_product_attention in float64.

Every check runs in f32, bf16, f16 and f64. 30 checks each; about 15 seconds.
    python laws/torch/shapes.py [TOOL]
"""
import warnings
from dataclasses import replace

import torch
from torch.nn.attention.bias import causal_lower_right

from support.check import Checks
from support.problem import Problem, by_hand, by_sdpa, draw, end

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16, "f64": torch.float64}
full, causal = by_sdpa(), by_sdpa(is_causal=True)


def lengths(checks: Checks, name: str, dtype: torch.dtype) -> None:
    for length in (1, 17, 65, 300):
        problem = draw(dtype, length, lengths=(length, length))
        checks.compare(f"{name} full T={length}", problem, [], full)
        checks.compare(f"{name} causal T={length}", with_causal(problem), ["--mask", "causal"], causal)
    checks.compare(f"{name} one query of 300 keys", draw(dtype, 2, lengths=(1, 300)), [], full)
    checks.compare(f"{name} 300 queries of one key", draw(dtype, 3, lengths=(300, 1)), [], full)


def long_rows(checks: Checks, name: str, dtype: torch.dtype) -> None:
    """Thousands of keys: sums in f32 must not drift. A mean in V leaves little of a sum's error to chance."""
    few = draw(dtype, 4, batch=1, heads=(1, 1), lengths=(64, 2500))
    checks.compare(f"{name} 2500 keys", few, [], full)
    checks.compare(f"{name} 2500 keys, all alike", replace(few, scale=0.0), [], full)
    checks.compare(f"{name} 2500 keys, values near 100", replace(few, v=few.v + 100), [], full)


def with_causal(problem: Problem) -> Problem:
    return replace(problem, seen=lambda b, h, q, k: k <= q)


def alignments(checks: Checks, name: str, dtype: torch.dtype) -> None:
    for queries, keys in ((65, 300), (300, 65)):
        problem = with_causal(draw(dtype, queries, lengths=(queries, keys)))
        checks.compare(f"{name} causal at the start {queries}x{keys}", problem, ["--mask", "causal", "--align", "start"], causal)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of rows that see nothing: those are meant
            lower_right = by_sdpa(attn_mask=causal_lower_right(queries, keys))
        checks.compare(f"{name} causal at the end {queries}x{keys}", end(problem), ["--mask", "causal", "--align", "end"], lower_right)


def dims(checks: Checks, name: str, dtype: torch.dtype) -> None:
    for d, dv in ((80, 48), (33, 7), (1, 129), (256, 256), (512, 300)):
        problem = draw(dtype, d, lengths=(65, 65), dims=(d, dv))
        checks.compare(f"{name} causal d={d} dv={dv}", with_causal(problem), ["--mask", "causal"], causal)


def heads(checks: Checks, name: str, dtype: torch.dtype) -> None:
    for queries, keys in ((9, 3), (8, 1)):
        problem = with_causal(draw(dtype, queries, heads=(queries, keys), lengths=(65, 65)))
        checks.compare(f"{name} causal {queries} heads on {keys}", problem, ["--mask", "causal"], causal)
    checks.compare(f"{name} bthd 6 heads on 2", draw(dtype, 6, heads=(6, 2), lengths=(17, 65)), [], full, layout="bthd")


def scales(checks: Checks, name: str, dtype: torch.dtype) -> None:
    for scale in (-0.3, 0.0, 1.0):
        checks.compare(f"{name} scale {scale}", replace(draw(dtype, 5, lengths=(65, 300)), scale=scale), [], full)
    for factor in (5.0, 40.0):
        problem = draw(dtype, 7, logits=factor)
        checks.compare(f"{name} logits x{factor:.0f}", with_causal(problem), ["--mask", "causal"], causal)


def kernels(checks: Checks) -> None:
    for kernel, dtype in (("classic", torch.float32), ("reference", torch.float32), ("reference", torch.float64), ("double", torch.float64)):
        problem = with_causal(draw(dtype, 8, heads=(4, 2), lengths=(65, 65)))
        checks.compare(f"{dtype} causal by kernel {kernel}", problem, ["--mask", "causal", "--kernel", kernel], by_hand)


with Checks() as all_checks:
    for dtype_name, element in DTYPES.items():
        for group in (lengths, long_rows, alignments, dims, heads, scales):
            group(all_checks, dtype_name, element)
    kernels(all_checks)
