"""The conventions in which attention libraries differ, each as one named check of how heed says it.

Alignment, widths of windows, the base and the empty value of L, signs of ALiBi, polarity and rank of masks, the order of cap and mask, the
scale, the mapping of heads, what masked keys may hold. Each rule is written as the library named in the check writes it, in torch
operations, with f32 inputs and float64 truth. 29 checks; about 5 seconds.
    python laws/torch/conventions.py [TOOL]
"""
import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right, causal_upper_left

from support.check import Checks
from support.judge import TOLERANCE, difference
from support.problem import Answer, Oracle, Problem, Seen, by_flex, by_hand, by_sdpa, draw, end, mask_of

F32 = torch.float32
GENERATOR = torch.Generator().manual_seed(29)
SLOPE = torch.tensor([0.5, 0.25, 0.125, 0.0625])
CAUSAL: Seen = lambda b, h, q, k: k <= q
AT_END = ["--align", "end"]


def short_and_long(seen: Seen | None = None) -> Problem:
    """65 queries of 130 keys."""
    return replace(draw(F32, 31, lengths=(65, 130)), seen=seen)


def square(seen: Seen | None = None) -> Problem:
    return replace(draw(F32, 37, lengths=(130, 130)), seen=seen)


def masked(hidden: Tensor) -> Oracle:
    """SDPA with a mask in which True hides."""
    return by_sdpa(attn_mask=~hidden)


def alignment(checks: Checks) -> None:
    problem, causal = short_and_long(CAUSAL), ["--mask", "causal"]
    checks.compare("align start is torch's is_causal (top left)", problem, [*causal, "--align", "start"], by_sdpa(is_causal=True))
    checks.compare("align start is torch's causal_upper_left", problem, [*causal, "--align", "start"], by_sdpa(attn_mask=causal_upper_left(65, 130)))
    checks.compare("align end is FlashAttention's causal (bottom right)", end(problem), [*causal, *AT_END],
                   by_sdpa(attn_mask=causal_lower_right(65, 130)))
    past = replace(problem, offset=torch.tensor([21]))
    checks.compare("align 21 is ONNX's causal with 21 past keys", past, [*causal, "--align", "21"], masked(torch.ones(65, 130).triu(22).bool()))
    each = replace(problem, offset=torch.tensor([0, 44]))
    checks.compare("align 0,44 places each batch entry by itself", each, [*causal, "--align", "0,44"], by_flex)


def flash_window(queries: int, keys: int, left: int, right: int) -> Tensor:
    """True hides. As FlashAttention's test reference builds it."""
    row, column = torch.arange(queries).view(-1, 1), torch.arange(keys)
    here = row + keys - queries
    return (column > torch.clamp(here + right, max=keys)) | (column < here - left)


def windows(checks: Checks) -> None:
    for queries, keys in ((130, 130), (65, 130)):
        problem = end(draw(F32, 41, lengths=(queries, keys)))
        both = replace(problem, seen=lambda b, h, q, k: (q - k <= 16) & (k - q <= 8))
        checks.compare(f"window(16, 8) is FlashAttention's window_size=(16, 8), {queries}x{keys}", both, ["--mask", "window(16, 8)", *AT_END],
                       masked(flash_window(queries, keys, 16, 8)))
        past = replace(problem, seen=lambda b, h, q, k: (q - k <= 16) & (k <= q))
        checks.compare(f"window(17) is FlashAttention's causal window_size=(16, 0), {queries}x{keys}", past, ["--mask", "window(17)", *AT_END],
                       masked(flash_window(queries, keys, 16, 0)))
    row, column = torch.arange(130).view(-1, 1), torch.arange(130)
    checks.compare("window(16) is transformers' sliding_window=16", square(lambda b, h, q, k: (k <= q) & (q - k < 16)), ["--mask", "window(16)"],
                   by_sdpa(attn_mask=(column <= row) & (column > row - 16)))
    checks.compare("window(16, 8) is jax.nn's local_window_size=(16, 8)", square(lambda b, h, q, k: (q - k <= 16) & (k - q <= 8)),
                   ["--mask", "window(16, 8)"], by_sdpa(attn_mask=(row <= column + 16) & (row >= column - 8)))


def say_equal(checks: Checks, name: str, result: Tensor, expected: Tensor, allowed: float = 0.0) -> None:
    apart = difference(result, expected).max().item()
    checks.say(name, apart <= allowed, f"apart by {apart:.1e}, allowed {allowed:.1e}")


def log_sum_exp(checks: Checks) -> None:
    problem = square(CAUSAL)
    result = checks.attend(problem, ["--mask", "causal"], {})
    truth = by_flex(problem).lse
    say_equal(checks, "L is the natural logarithm, as FlexAttention's", result.lse, truth, 8 * TOLERANCE[F32])
    say_equal(checks, "L / ln 2 is FlashInfer's", result.lse.double() / math.log(2), torch.log2(torch.exp(truth)), 12 * TOLERANCE[F32])


def empty_rows(checks: Checks) -> None:
    seen: Seen = lambda b, h, q, k: (k <= q) & (q % 3 != 0)
    problem = square(seen)
    result = checks.attend(problem, ["--mask", "causal & q % 3 != 0"], {})
    truth = by_sdpa(attn_mask=mask_of(problem))(problem)
    say_equal(checks, "a query that sees no key: O = 0, as torch since 2.5 says", result.o[:, :, ::3], truth.o[:, :, ::3])
    say_equal(checks, "a query that sees no key: L = -inf, as FlashInfer says", result.lse[:, :, ::3], torch.tensor(-torch.inf))


def alibi(checks: Checks) -> None:
    tables = {"slope": SLOPE}
    flash = replace(short_and_long(), score=lambda s, b, h, q, k: s - SLOPE[h] * (q - k).abs())
    checks.compare("ALiBi of FlashAttention: -slope |q - k|", end(flash), ["--score", "s - slope[h] * abs(q - k)", *AT_END], by_flex, tables=tables)
    infer = replace(short_and_long(), score=lambda s, b, h, q, k: s + SLOPE[h] * (k - q))
    checks.compare("ALiBi of FlashInfer: slope (k - q) is alibi(slope)", end(infer), ["--score", "alibi(slope)", *AT_END], by_flex, tables=tables)
    bloom = replace(square(CAUSAL), score=lambda s, b, h, q, k: s + SLOPE[h] * k)
    checks.compare("ALiBi of BLOOM: slope k", bloom, ["--mask", "causal", "--score", "s + slope[h] * k"], by_flex, tables=tables)


def multihead(**masks: Tensor) -> Oracle:
    """torch.nn.MultiheadAttention with identity projections, in float64; True hides."""
    def answer(problem: Problem) -> Answer:
        batch, heads, length, dim = problem.q.shape
        size = heads * dim
        module = torch.nn.MultiheadAttention(size, heads, bias=False, batch_first=True, dtype=torch.float64)
        with torch.no_grad():
            module.in_proj_weight.copy_(torch.eye(size).repeat(3, 1))
            module.out_proj.weight.copy_(torch.eye(size))
            tokens = [t.double().transpose(1, 2).reshape(batch, -1, size) for t in (problem.q, problem.k, problem.v)]
            o, _ = module(*tokens, need_weights=False, **masks)
        return Answer(o.view(batch, length, heads, dim).transpose(1, 2), by_hand(problem).lse)

    return answer


def polarity(checks: Checks) -> None:
    table = torch.rand(130, 130, generator=GENERATOR) < 0.5
    table.fill_diagonal_(True)
    checks.compare("a true mask attends, as attn_mask of torch's SDPA", square(lambda b, h, q, k: table[q, k]), ["--mask", "dense(m)"],
                   by_sdpa(attn_mask=table), tables={"m": table})
    checks.compare("a true mask hides in nn.MultiheadAttention's attn_mask: !m[q, k]", square(lambda b, h, q, k: table[q, k]), ["--mask", "!m[q, k]"],
                   multihead(attn_mask=~table), tables={"m": ~table})
    padding = torch.arange(130) >= torch.tensor([[130], [71]])
    checks.compare("a true mask hides in nn.MultiheadAttention's key_padding_mask: !padding(m)", square(lambda b, h, q, k: ~padding[b, k]),
                   ["--mask", "!padding(m)"], multihead(key_padding_mask=padding), tables={"m": padding})


def ranks(checks: Checks) -> None:
    by_head = torch.rand(4, 130, 130, generator=GENERATOR) < 0.5
    checks.compare("a mask of rank 3 is (heads, q, k), as ONNX broadcasts", square(lambda b, h, q, k: by_head[h, q, k]), ["--mask", "dense(m)"],
                   by_sdpa(attn_mask=by_head), tables={"m": by_head})
    by_batch = torch.rand(2, 130, 130, generator=GENERATOR) < 0.5
    checks.compare("a mask of rank 3 is (batch, q, k) for torch's 3-D inputs: dense(m, b, i, k)", square(lambda b, h, q, k: by_batch[b, q, k]),
                   ["--mask", "dense(m, b, i, k)"], by_sdpa(attn_mask=by_batch.unsqueeze(1)), tables={"m": by_batch})


def cap_then_mask(checks: Checks) -> None:
    problem = replace(square(CAUSAL), score=lambda s, b, h, q, k: 2 * torch.tanh(s / 2))
    arguments = ["--mask", "causal", "--score", "2.0 * tanh(s / 2.0)"]
    checks.compare("the cap comes before the mask (FlashAttention, ONNX since 1.22)", problem, arguments, by_flex)


def scales(checks: Checks) -> None:
    wide = draw(F32, 43, lengths=(130, 130), dims=(48, 80))
    checks.compare("the default scale is 1/sqrt of the keys' dim, not the values'", wide, [], by_sdpa())
    checks.compare("a negative scale is a scale", replace(square(), scale=-0.125), [], by_sdpa())
    large = draw(torch.float16, 47, lengths=(130, 130), logits=400)
    large = replace(large, k=large.k * 100, scale=1e-5)
    checks.compare("f16 products beyond 65504 do not overflow (ONNX scales Q and K for this)", large, [], by_sdpa())


def head_groups(checks: Checks) -> None:
    def repeated(problem: Problem) -> Answer:
        whole = replace(problem, k=problem.k.repeat_interleave(3, 1), v=problem.v.repeat_interleave(3, 1))
        return by_sdpa()(whole)

    checks.compare("query head h reads kv head h / (Hq / Hkv): repeat_interleave", draw(F32, 53, heads=(6, 2), lengths=(65, 65)), [], repeated)


def poison(checks: Checks) -> None:
    problem = square(lambda b, h, q, k: k < 100)
    bad = [tensor.clone() for tensor in (problem.k, problem.v)]
    for tensor in bad:
        tensor[:, :, 100::2], tensor[:, :, 101::2] = torch.nan, torch.inf
    checks.compare("NaN and inf in masked keys and values reach nothing", problem, ["--mask", "k < 100"], by_hand,
                   given=replace(problem, k=bad[0], v=bad[1]))


with Checks() as all_checks:
    for group in (alignment, windows, log_sum_exp, empty_rows, alibi, polarity, ranks, cap_then_mask, scales, head_groups, poison):
        group(all_checks)
