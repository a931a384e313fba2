"""Checks of the checks: answers to a slightly different question must be refused by the accuracy rule.

Each check asks the tool for something else than the oracle was asked, in f32 and in bf16, and passes only where the rule refuses it.
27 checks; about 5 seconds.
    python laws/torch/can_fail.py [TOOL]
"""
from dataclasses import replace

import torch

from support.check import Checks, verdict
from support.problem import Answer, Problem, Score, Seen, by_flex, by_hand, draw, end, naive

CAUSAL: Seen = lambda b, h, q, k: k <= q
WINDOW: Seen = lambda b, h, q, k: (k <= q) & (q - k < 16)
CAP: Score = lambda s, b, h, q, k: 2 * torch.tanh(s / 2)
SLOPE = torch.tensor([0.5, 0.25, 0.125, 0.0625])
ALIBI: Score = lambda s, b, h, q, k: s + SLOPE[h] * (k - q)


def questions(checks: Checks, name: str, dtype: torch.dtype) -> None:
    problem = draw(dtype, 83, lengths=(65, 65))
    grouped = draw(dtype, 89, heads=(4, 2), lengths=(65, 65))
    uneven = replace(draw(dtype, 97, lengths=(65, 130)), seen=CAUSAL)
    tables = {"slope": SLOPE}
    checks.refuses(f"{name} refuses a scale 5 % too large", problem, [f"--scale={1.05 * 64**-0.5}"])
    checks.refuses(f"{name} refuses a window one key too wide", replace(problem, seen=WINDOW), ["--mask", "window(17)"], by_flex)
    checks.refuses(f"{name} refuses a mask turned around", replace(problem, seen=CAUSAL), ["--mask", "k >= q"], by_flex)
    checks.refuses(f"{name} refuses the wrong alignment", end(uneven), ["--mask", "causal", "--align", "start"], by_flex)
    checks.refuses(f"{name} refuses a missing cap", replace(problem, score=CAP), [], by_flex)
    checks.refuses(f"{name} refuses a slope's wrong sign", replace(problem, score=ALIBI), ["--score", "s + slope[h] * (q - k)"], by_flex,
                   tables=tables)
    swapped = replace(grouped, k=grouped.k.flip(1), v=grouped.v.flip(1))
    checks.refuses(f"{name} refuses the heads of another group", grouped, [], given=swapped)
    checks.refuses(f"{name} refuses a forgotten sink", replace(problem, sink=torch.ones(4)), [], given=problem)


def small_errors(checks: Checks, name: str, dtype: torch.dtype) -> None:
    """Without the tool: naive's own answer passes; one wrong element, one NaN, an L in base 2 do not."""
    problem = draw(dtype, 101, lengths=(65, 65))
    truth, o = by_hand(problem), naive(problem)
    lse = truth.lse.float()
    checks.say(f"{name} accepts naive itself", *judged(problem, o, lse, True))
    one = o.clone()
    one[0, 0, 7, 7] += 0.02
    checks.say(f"{name} refuses one element off by 0.02", *judged(problem, one, lse, False))
    one[0, 0, 7, 7] = torch.nan
    checks.say(f"{name} refuses one NaN", *judged(problem, one, lse, False))
    checks.say(f"{name} refuses L in base 2", *judged(problem, o, lse / 0.6931472, False))


def in_double(checks: Checks) -> None:
    """Of float64 an answer with the errors of float32 is refused."""
    problem = draw(torch.float64, 103, lengths=(65, 65))
    truth, rounded = by_hand(problem), by_hand(problem.of(torch.float32).of(torch.float64))
    checks.say("f64 accepts the truth", *judged(problem, truth.o, truth.lse, True))
    checks.say("f64 refuses inputs rounded to f32", *judged(problem, rounded.o, truth.lse, False))
    checks.say("f64 refuses an L of f32", *judged(problem, truth.o, truth.lse.float().double(), False))


def judged(problem: Problem, o: torch.Tensor, lse: torch.Tensor, expected: bool) -> tuple[bool, str]:
    good, remark = verdict(problem, Answer(o, lse), by_hand(problem))
    return good == expected, remark


with Checks() as all_checks:
    for element, kind in (("f32", torch.float32), ("bf16", torch.bfloat16)):
        questions(all_checks, element, kind)
        small_errors(all_checks, element, kind)
    in_double(all_checks)
