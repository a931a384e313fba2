"""Masks by name and as typed, against FlexAttention's mask_mod, and boolean tables of ranks 2 to 4 against attn_mask, in float64.

The same rule is written twice in two languages, heed's text and torch operations; widths and documents are drawn by hand so that tiles
are full, partial and empty. f32 and bf16 in turn. 36 checks; about 10 seconds.
    python laws/torch/masks.py [TOOL]
"""
from dataclasses import replace

import torch
from torch import Tensor

from support.check import Checks
from support.problem import Seen, by_flex, by_sdpa, draw, end

LENGTH = torch.tensor([300, 123])
OFFSETS = torch.tensor([0, 40, 41, 170, 170, 300])
GLOBAL = torch.zeros(300, dtype=torch.bool).index_fill(0, torch.tensor([0, 77, 150]), True)
WIDTH = torch.tensor([5, 50, 100, 1])
DOCUMENT = torch.searchsorted(OFFSETS, torch.arange(300), right=True)
STREAM = (torch.arange(300) * 7919) % 3
TABLES = {"length": LENGTH, "offsets": OFFSETS, "global": GLOBAL, "width": WIDTH, "stream": STREAM}

NAMED: dict[str, Seen] = {
    "full": lambda b, h, q, k: k >= 0,
    "window(64)": lambda b, h, q, k: (k <= q) & (q - k < 64),
    "window(20, 30)": lambda b, h, q, k: (q - k <= 20) & (k - q <= 30),
    "window(1)": lambda b, h, q, k: k == q,
    "prefix(100)": lambda b, h, q, k: (k <= q) | (k < 100),
    "lengths(length[b])": lambda b, h, q, k: k < LENGTH[b],
    "lengths(length)": lambda b, h, q, k: k < LENGTH[b],
    "documents(offsets)": lambda b, h, q, k: DOCUMENT[q] == DOCUMENT[k],
    "chunked(70)": lambda b, h, q, k: (k <= q) & (q // 70 == k // 70),
    "streaming(4, 32)": lambda b, h, q, k: (k <= q) & ((k < 4) | (q - k < 32)),
    "longformer(32, global)": lambda b, h, q, k: ((q - k).abs() <= 16) | GLOBAL[q] | GLOBAL[k],
}
TYPED: dict[str, Seen] = {
    "causal & documents(offsets)": lambda b, h, q, k: (k <= q) & (DOCUMENT[q] == DOCUMENT[k]),
    "causal & (q - k < 64 | k < 4)": lambda b, h, q, k: (k <= q) & ((q - k < 64) | (k < 4)),
    "window(width[h])": lambda b, h, q, k: (k <= q) & (q - k < WIDTH[h]),
    "causal & k < length[b]": lambda b, h, q, k: (k <= q) & (k < LENGTH[b]),
    "(q - k) % 3 == 0 | q / 32 == k / 32": lambda b, h, q, k: (torch.remainder(q - k, 3) == 0) | (q // 32 == k // 32),
    "stream[q] == stream[k] & !(k == 17)": lambda b, h, q, k: (STREAM[q] == STREAM[k]) & (k != 17),
    "select(h % 2 == 0, k <= q, k >= q)": lambda b, h, q, k: torch.where(h % 2 == 0, k <= q, k >= q),
    "min(q, k) * 2 >= max(q, k)": lambda b, h, q, k: torch.minimum(q, k) * 2 >= torch.maximum(q, k),
    "k % 2 != g": lambda b, h, q, k: k % 2 != h // 2,
    "k <= q + b * 10 & k >= h": lambda b, h, q, k: (k <= q + b * 10) & (k >= h),
    "q < 7 & k > 280": lambda b, h, q, k: (q < 7) & (k > 280),
    "false": lambda b, h, q, k: k < 0,
}


def names_in(text: str) -> dict[str, Tensor]:
    return {name: table for name, table in TABLES.items() if name in text}


def formulas(checks: Checks) -> None:
    for seed, (text, seen) in enumerate((NAMED | TYPED).items()):
        name, dtype = (("f32", torch.float32), ("bf16", torch.bfloat16))[seed % 2]
        problem = replace(draw(dtype, seed, heads=(4, 2)), seen=seen)
        checks.compare(f"{name} mask {text}", problem, ["--mask", text], by_flex, tables=names_in(text))
        if seed % 3 == 0:
            checks.compare(f"f64 mask {text}", problem.of(torch.float64), ["--mask", text], by_flex, tables=names_in(text))


def unequal_lengths(checks: Checks) -> None:
    for text in ("window(64)", "window(20, 30)", "streaming(4, 32)"):
        problem = end(replace(draw(torch.bfloat16, 3, lengths=(65, 300)), seen=NAMED[text]))
        checks.compare(f"bf16 mask {text} at the end 65x300", problem, ["--mask", text, "--align", "end"], by_flex)


def looked_up(table: Tensor) -> Seen:
    return lambda b, h, q, k: table[b, h, q, k]


def dense(checks: Checks) -> None:
    generator = torch.Generator().manual_seed(5)
    for shape in ((65, 300), (1, 65, 300), (4, 65, 300), (2, 4, 65, 300), (2, 1, 65, 300), (2, 1, 1, 300), (1, 4, 65, 1)):
        table = torch.rand(shape, generator=generator) < 0.6
        table.view(-1, shape[-2], shape[-1])[:, -1] = False  # an empty row at least
        problem = replace(draw(torch.float32, len(shape), lengths=(65, 300)), seen=looked_up(table.expand(2, 4, 65, 300)))
        text = ["--mask", "dense(m)", "--align", "end"]  # rows are rows, wherever the queries stand
        checks.compare(f"f32 mask dense(m) of shape {list(shape)}", problem, text, by_sdpa(attn_mask=table), tables={"m": table})


def axes_said(checks: Checks) -> None:
    generator = torch.Generator().manual_seed(6)
    for text, shape, spread in (("padding(m)", (2, 300), (2, 1, 1, 300)), ("dense(m, b, i, k)", (2, 65, 300), (2, 1, 65, 300)),
                                ("dense(m, h, k)", (4, 300), (1, 4, 1, 300))):
        table = torch.rand(shape, generator=generator) < 0.6
        whole = table.view(spread)
        problem = replace(draw(torch.float32, 9, lengths=(65, 300)), seen=looked_up(whole.expand(2, 4, 65, 300)))
        checks.compare(f"f32 mask {text} of shape {list(shape)}", problem, ["--mask", text], by_sdpa(attn_mask=whole), tables={"m": table})


with Checks() as all_checks:
    formulas(all_checks)
    unequal_lengths(all_checks)
    dense(all_checks)
    axes_said(all_checks)
