"""A problem of attention, and the answers to it by PyTorch.

    s_ij = scale q_i . k_j     s_ij = score(s_ij, b, h, q, k)     -inf where not seen(b, h, q, k)     P = softmax(s)     O = P V

Shapes: q [B, Hq, Tq, D], k [B, Hkv, Tk, D], v [B, Hkv, Tk, Dv]; seen and score are functions of broadcastable index tensors, as
FlexAttention's mask_mod and score_mod are; the position of query i is i + offset.

Oracles, all in float64, all of them code that heed's authors did not write:
    by_sdpa   torch.nn.functional.scaled_dot_product_attention with a mask tensor, is_causal or a bias object; L is by_hand's
    by_flex   torch.nn.attention.flex_attention, not compiled; it answers L (log sum exp) too
    by_hand   torch.matmul, a sink's column concatenated, torch.softmax, torch.logsumexp
Beside them `naive`, the yardstick of the accuracy rule: scores in f32, softmax in f32, P rounded to dtype, O accumulated in f32 and
rounded to dtype; and `rounding`, what the rounding of scores may do to O. A query that sees no key has O = 0 and L = -inf here: PyTorch says so too since 2.5, softmax says NaN.
Cost: S x S memory. Checked by check.py, which lets the oracles judge each other.
"""
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import AuxRequest, create_block_mask, flex_attention

UNIT = 2.0**-24  # half a unit in the last place of 1 in f32
FELT = 16  # size of a score from which on its rounding counts by itself
Seen = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
Score = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Problem:
    q: Tensor  # [B, Hq, Tq, D]
    k: Tensor  # [B, Hkv, Tk, D]
    v: Tensor  # [B, Hkv, Tk, Dv]
    seen: Seen | None = None
    score: Score | None = None
    scale: float | None = None
    sink: Tensor | None = None  # [Hq]
    offset: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.int64))  # [1] or [B]

    @property
    def dtype(self) -> torch.dtype:
        return self.q.dtype

    def of(self, dtype: torch.dtype) -> "Problem":
        sink = None if self.sink is None else self.sink.to(dtype)
        return replace(self, q=self.q.to(dtype), k=self.k.to(dtype), v=self.v.to(dtype), sink=sink)

    def position(self, b: Tensor, q: Tensor) -> Tensor:
        return q + self.offset[torch.clamp(b, max=len(self.offset) - 1)]


@dataclass(frozen=True)
class Answer:
    o: Tensor  # [B, Hq, Tq, Dv]
    lse: Tensor  # [B, Hq, Tq]


Oracle = Callable[[Problem], Answer]


def draw(dtype: torch.dtype, seed: int, *, batch: int = 2, heads: tuple[int, int] = (4, 4), lengths: tuple[int, int] = (300, 300),
         dims: tuple[int, int] = (64, 64), logits: float = 1.0) -> Problem:
    """Normal q, k, v rounded to dtype; queries multiplied by `logits`."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64 if dtype == torch.float64 else torch.float32)

    q, k = normal(batch, heads[0], lengths[0], dims[0]), normal(batch, heads[1], lengths[1], dims[0])
    v = normal(batch, heads[1], lengths[1], dims[1])
    return Problem((q * logits).to(dtype), k.to(dtype), v.to(dtype))


def end(problem: Problem) -> Problem:
    """The last query stands at the last key."""
    return replace(problem, offset=torch.tensor([problem.k.shape[2] - problem.q.shape[2]]))


def places(problem: Problem) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """b, h, q, k of every score, each broadcastable to [B, Hq, Tq, Tk]."""
    batch, heads, queries, _ = problem.q.shape
    b = torch.arange(batch).view(-1, 1, 1, 1)
    q = torch.arange(queries).view(1, 1, -1, 1)
    return b, torch.arange(heads).view(1, -1, 1, 1), problem.position(b, q), torch.arange(problem.k.shape[2]).view(1, 1, 1, -1)


def mask_of(problem: Problem) -> Tensor:  # [B, Hq, Tq, Tk]
    batch, heads, queries, _ = problem.q.shape
    shape = (batch, heads, queries, problem.k.shape[2])
    return torch.ones(shape, dtype=torch.bool) if problem.seen is None else problem.seen(*places(problem)).expand(shape)


def similarity(problem: Problem, q: Tensor, k: Tensor) -> Tensor:  # [B, Hq, Tq, Tk]
    scale = problem.q.shape[3] ** -0.5 if problem.scale is None else problem.scale
    return torch.matmul(q, k.repeat_interleave(q.shape[1] // k.shape[1], 1).transpose(2, 3)) * scale


def final_scores(problem: Problem, s: Tensor) -> Tensor:  # [B, Hq, Tq, Tk]
    if problem.score is not None:
        s = problem.score(s, *places(problem)).to(problem.dtype)
    return s.masked_fill(~mask_of(problem), -torch.inf)


def scores_of(problem: Problem) -> Tensor:  # [B, Hq, Tq, Tk]
    return final_scores(problem, similarity(problem, problem.q, problem.k))


def with_sink(problem: Problem, s: Tensor) -> Tensor:  # [B, Hq, Tq, Tk + 1]
    """Scores with the sink's column last; -inf, which takes nothing, where there is none."""
    batch, heads, queries, _ = s.shape
    sink = torch.full((heads,), -torch.inf, dtype=s.dtype) if problem.sink is None else problem.sink
    return torch.cat([s, sink.view(1, -1, 1, 1).expand(batch, heads, queries, 1)], -1)


def weights_of(problem: Problem) -> Tensor:  # [B, Hq, Tq, Tk]
    return torch.softmax(with_sink(problem, scores_of(problem)), -1)[..., :-1].nan_to_num(0)


def mix(problem: Problem, weights: Tensor) -> Tensor:  # [B, Hq, Tq, Dv]
    return torch.matmul(weights, problem.v.repeat_interleave(problem.q.shape[1] // problem.v.shape[1], 1))


def naive(problem: Problem) -> Tensor:  # [B, Hq, Tq, Dv] f32
    wide = problem.of(torch.float32)
    weights = weights_of(wide).to(problem.dtype).to(torch.float32)
    return mix(wide, weights).to(problem.dtype).to(torch.float32)


def rounding(problem: Problem) -> Tensor:  # [B, Hq, Tq, Dv] f64
    """How far O may move since a score of size x is known to x 2^-24 only; 0 in rows whose scores stay below 16.

    Bound and derivation: src/reference/score_rounding.hpp."""
    exact = problem.of(torch.float64)
    s, off = similarity(exact, exact.q, exact.k), similarity(exact, exact.q.abs(), exact.k.abs()).abs() * UNIT
    value, below, above = (final_scores(exact, moved) for moved in (s, s - off, s + off))
    low, high = torch.minimum(torch.minimum(value, below), above), torch.maximum(torch.maximum(value, below), above)
    visible = torch.isfinite(value)
    low, high = torch.where(visible, low - UNIT * value.abs(), low), torch.where(visible, high + UNIT * value.abs(), high)
    felt = (torch.where(visible, torch.maximum(value.abs(), s.abs()), 0.0).amax(-1) if s.shape[3] else torch.zeros(s.shape[:3])) >= FELT
    sunk = with_sink(exact, value)
    lse = torch.logsumexp(sunk, -1, keepdim=True)
    p = torch.exp(value - lse)
    factor = torch.maximum(torch.exp(high - lse) - p, p - torch.exp(low - lse))
    least = torch.exp(low - lse).sum(-1) + torch.exp(sunk[..., -1] - lse[..., 0])
    o = mix(exact, p.nan_to_num(0))
    result = torch.zeros_like(o)
    for c in range(o.shape[3] if felt.any() else 0):
        v = exact.v[..., c].repeat_interleave(exact.q.shape[1] // exact.v.shape[1], 1).unsqueeze(2)
        away = torch.where(high > -torch.inf, (v - o[..., c].unsqueeze(-1)).abs(), 0.0)
        most = torch.where(away > 0, factor * away, 0.0).sum(-1) / least
        result[..., c] = torch.where(felt, torch.fmin(most, away.amax(-1)), 0.0)
    return result


def by_hand(problem: Problem) -> Answer:
    exact = problem.of(torch.float64)
    return Answer(mix(exact, weights_of(exact)), torch.logsumexp(with_sink(exact, scores_of(exact)), -1))


def by_sdpa(**options: Any) -> Oracle:
    def answer(problem: Problem) -> Answer:
        exact = problem.of(torch.float64)
        gqa = exact.q.shape[1] != exact.k.shape[1]
        o = F.scaled_dot_product_attention(exact.q, exact.k, exact.v, scale=exact.scale, enable_gqa=gqa, **options)
        return Answer(o, by_hand(problem).lse)

    return answer


def by_flex(problem: Problem) -> Answer:
    exact = problem.of(torch.float64)
    batch, heads, queries, _ = exact.q.shape
    seen, score = exact.seen, exact.score
    block_mask = None
    if seen is not None:
        block_mask = create_block_mask(lambda b, h, q, k: seen(b, h, exact.position(b, q), k), batch, heads, queries, exact.k.shape[2], device="cpu")
    with warnings.catch_warnings(), torch.compiler.set_stance("force_eager"):  # else each formula is traced for a second
        warnings.simplefilter("ignore")  # it asks to be compiled, which is not wanted here
        o, more = flex_attention(exact.q, exact.k, exact.v, block_mask=block_mask, scale=exact.scale, enable_gqa=heads != exact.k.shape[1],
                                 score_mod=None if score is None else lambda s, b, h, q, k: score(s, b, h, exact.position(b, q), k),
                                 return_aux=AuxRequest(lse=True))
    return Answer(o, more.lse)
