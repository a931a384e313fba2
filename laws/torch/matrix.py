"""The matrix of scores at each stage, against torch.matmul, score_mod and masked_fill in float64.

    scaled    (q @ k.T) * scale               the qk_matmul_output of onnx's Attention in mode 0
    altered   score_mod(scaled)               in mode 1, where the formula is softcap
    masked    -inf where the mask is False    in mode 2, a boolean attn_mask as --mask, a float one added by bias
    error at most 2^-20 of the largest of 1, |x| and |scale| sum |q_c k_c|, whatever the inputs' dtype; f32 in every case; sinks do not enter

Mode 3, after the softmax, is --weights. Places without a value do not occur here: laws/scores_output_test.cpp. 36 checks; about 10 seconds.
    python laws/torch/matrix.py [TOOL]
"""
from dataclasses import replace

import torch
from torch import Tensor

from support.check import Checks, Tables, ToolFailed
from support.judge import difference
from support.problem import Problem, draw, end, mask_of, places, similarity

NAMES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
SLOPE = torch.tensor([0.5, 0.25, 0.125, 0.0625])
TOLERANCE = 2.0**-20


def stages_of(problem: Problem) -> dict[str, Tensor]:  # of [B, Hq, Tq, Tk]
    exact = problem.of(torch.float64)
    scaled = similarity(exact, exact.q, exact.k)
    altered = scaled if exact.score is None else exact.score(scaled, *places(exact)).to(torch.float64)
    return {"scaled": scaled, "altered": altered, "masked": altered.masked_fill(~mask_of(exact), -torch.inf)}


def judge(problem: Problem, found: Tensor, truth: Tensor) -> tuple[bool, str]:
    if found.shape != truth.shape or found.dtype != torch.float32:
        return False, f"scores are {found.dtype} {list(found.shape)}, not torch.float32 {list(truth.shape)}"
    exact = problem.of(torch.float64)
    sizes = torch.maximum(similarity(exact, exact.q.abs(), exact.k.abs()).abs(), truth.abs().nan_to_num(0, 0, 0)).clamp(min=1)
    worst = (difference(found, truth) / (TOLERANCE * sizes)).max().item()
    return worst <= 1, f"of what is allowed: {worst:.2f}"


def compare(checks: Checks, name: str, problem: Problem, arguments: list[str], tables: Tables | None = None) -> None:
    """Three checks of one problem, one for each stage; and each stage's answer must be refused as another stage's where these differ."""
    truths = stages_of(problem)
    for stage, truth in truths.items():
        try:
            found = checks.scores(problem, arguments, tables or {}, stage)
        except ToolFailed as error:
            checks.say(f"{name}: {stage}", False, str(error))
            continue
        good, remark = judge(problem, found, truth)
        for other, wrong in truths.items():
            if not torch.equal(wrong, truth) and judge(problem, found, wrong)[0]:
                good, remark = False, f"passes as {other} too"
        checks.say(f"{name}: {stage}", good, remark)


with Checks() as all_checks:
    for element, dtype in NAMES.items():
        grouped = draw(dtype, 107, heads=(4, 2), lengths=(90, 130))
        causal = end(replace(grouped, seen=lambda b, h, q, k: k <= q, score=lambda s, b, h, q, k: s + SLOPE[h] * (k - q)))
        compare(all_checks, f"{element} ALiBi, causal at the end 90x130", causal, ["--mask", "causal", "--align", "end", "--score", "alibi(slope)"],
                {"slope": SLOPE})
        bias = torch.randn(2, 4, 90, 130, generator=torch.Generator().manual_seed(3)).to(dtype)
        added = replace(grouped, score=lambda s, b, h, q, k, bias=bias: 5 * torch.tanh(s / 5) + bias[b, h, q, k], seen=lambda b, h, q, k: k % 3 != q % 2)
        compare(all_checks, f"{element} a cap, a float mask added and a boolean one", added,
                ["--score", "softcap(5.0)", "--score", "bias(table)", "--mask", "k % 3 != i % 2", "--align", "start"], {"table": bias})
        compare(all_checks, f"{element} a scale and a sink", replace(draw(dtype, 109), scale=0.7, sink=torch.ones(4), seen=lambda b, h, q, k: q - k < 9),
                ["--mask", "q - k < 9"])
    compare(all_checks, "f32 logits x40", replace(draw(torch.float32, 113, logits=40), seen=lambda b, h, q, k: k <= q), ["--mask", "causal"])
    compare(all_checks, "f32 one query", end(replace(draw(torch.float32, 127, lengths=(1, 300)), seen=lambda b, h, q, k: q - k < 70)),
            ["--mask", "q - k < 70", "--align", "end"])
    compare(all_checks, "f32 by the definition", replace(draw(torch.float32, 131, lengths=(30, 30)), seen=lambda b, h, q, k: k <= q),
            ["--mask", "causal", "--kernel", "reference"])
