"""The accuracy rule: how far from an exact answer an answer may be.

    O:  maximum and RMS error over the tensor at most 2 x naive's, plus half an ulp of dtype at max |reference|,
        plus what it does to O that a score of size x is known to x 2^-24 only (problem.rounding; 0 where scores stay below 16)
    L:  error at most 2^-20 (f32), 2^-11 (f16), 2^-8 (bf16) of the largest of 1 and |L|

Equal infinities agree; a NaN on one side is an infinite error. Source: DESIGN.md, section 2, after the criterion of flash-attention's
tests. can_fail.py proves that the rule refuses wrong answers.
"""
import math

import torch
from torch import Tensor

EPSILON = {torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}  # half an ulp of 1
TOLERANCE = {torch.float32: 2.0**-20, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}


def difference(result: Tensor, reference: Tensor) -> Tensor:
    """|result - reference|, 0 for equal infinities, inf for a NaN."""
    error = (result.double() - reference.double()).abs().nan_to_num(torch.inf, torch.inf)
    return torch.where(result.double() == reference.double(), 0.0, error)


def root_mean_square(error: Tensor) -> float:
    return math.sqrt(error.square().mean().item())


def half_ulp(reference: Tensor, dtype: torch.dtype) -> float:
    largest = reference.abs().max().item()
    return 2.0 ** math.floor(math.log2(largest)) * EPSILON[dtype] if largest > 0 else 0.0


def share(error: float, allowed: float) -> float:
    return error / allowed if allowed else math.inf if error else 0.0


def judge_o(result: Tensor, reference: Tensor, naive: Tensor, rounding: Tensor, dtype: torch.dtype) -> tuple[float, float]:
    """Maximum and RMS error, each as a share of what is allowed."""
    error, yardstick, floor = difference(result, reference), difference(naive, reference), half_ulp(reference, dtype)
    worst = share(error.max().item(), 2 * yardstick.max().item() + floor + rounding.max().item())
    return worst, share(root_mean_square(error), 2 * root_mean_square(yardstick) + floor + root_mean_square(rounding))


def largest_of_one_and(tensor: Tensor) -> float:
    finite = tensor[torch.isfinite(tensor)].abs()
    return max(1.0, finite.max().item() if finite.numel() else 0.0)


def judge_lse(result: Tensor, reference: Tensor, dtype: torch.dtype) -> float:
    """Largest error as a share of what is allowed."""
    error = difference(result, reference)
    return error.max().item() / (TOLERANCE[dtype] * largest_of_one_and(reference))
