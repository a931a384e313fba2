"""The accuracy rule: how far from an exact answer an answer may be.

    O:  maximum and RMS error over the tensor at most 2 x naive's, plus half an ulp of dtype at max |reference|
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
    return math.sqrt(error.square().mean().item()) if error.numel() else 0.0


def half_ulp(reference: Tensor, dtype: torch.dtype) -> float:
    largest = reference.abs().max().item() if reference.numel() else 0.0
    return 2.0 ** math.floor(math.log2(largest)) * EPSILON[dtype] if largest > 0 else 0.0


def judge_o(result: Tensor, reference: Tensor, naive: Tensor, dtype: torch.dtype) -> tuple[float, float]:
    """Maximum and RMS error, each as a share of what is allowed."""
    error, yardstick, floor = difference(result, reference), difference(naive, reference), half_ulp(reference, dtype)
    if not error.numel():
        return 0.0, 0.0
    bounds = 2 * yardstick.max().item() + floor, 2 * root_mean_square(yardstick) + floor
    errors = error.max().item(), root_mean_square(error)
    worst, typical = (0.0 if e == 0 else e / bound if bound else math.inf for e, bound in zip(errors, bounds))
    return worst, typical


def largest_of_one_and(tensor: Tensor) -> float:
    finite = tensor[torch.isfinite(tensor)].abs()
    return max(1.0, finite.max().item() if finite.numel() else 0.0)


def judge_lse(result: Tensor, reference: Tensor, dtype: torch.dtype) -> float:
    """Largest error as a share of what is allowed."""
    error = difference(result, reference)
    return error.max().item() / (TOLERANCE[dtype] * largest_of_one_and(reference)) if error.numel() else 0.0
