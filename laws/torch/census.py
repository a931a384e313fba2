"""Where the attention went: the weight that each key receives, and the strongest keys of chosen rows, against torch.softmax in float64.

    received_j = sum_i P_ij     error at most tolerance x the largest of 1 and |L| x the largest of 1 and received
    P_ij of a row               error at most tolerance x the largest of 1 and |L|; order by weight where weights differ by more

with the tolerance of L. The rows are asked for with as many keys as there are, so that whole rows are compared. 27 checks; about 5 seconds.
    python laws/torch/census.py [TOOL]
"""
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from support.check import Checks, Json, Tables, ToolFailed
from support.judge import TOLERANCE, difference, largest_of_one_and
from support.problem import Problem, by_hand, draw, end, weights_of

SLOPE = torch.tensor([0.5, 0.25, 0.125, 0.0625])
NAMES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
TOP = 5


def row_of(entry: Json, keys: int) -> Tensor:
    """A row of P in full from the tool's list of keys."""
    row = torch.zeros(keys, dtype=torch.float64)
    for look in entry["keys"]:
        row[look["key"]] = look["weight"]
    return row


def misplaced(entry: Json, truth: Tensor, allowed: float) -> bool:
    """Whether a key stands before one whose weight is larger by more than `allowed`."""
    weights = [truth[look["key"]].item() for look in entry["keys"]]
    return any(first + allowed < second for first, second in pairwise(weights))


def judge_rows(document: Json, truth: Tensor, rows: list[int], allowed: float) -> tuple[bool, str]:
    heads = truth.shape[1]
    expected = {(row, b, h) for row in rows for b in range(truth.shape[0]) for h in range(heads)}
    if {(entry["row"], entry["batch"], entry["head"]) for entry in document["top"]} != expected:
        return False, "not one list for each row, batch entry and head"
    apart, disorder = 0.0, False
    for entry in document["top"]:
        row = truth[entry["batch"], entry["head"], entry["row"]]
        apart = max(apart, difference(row_of(entry, len(row)), row).max().item())
        disorder |= misplaced(entry, row, allowed)
    return apart <= allowed and not disorder, f"weights apart by {apart / allowed:.2f} of what is allowed, {'disorder' if disorder else 'in order'}"


def judge_top(document: Json, truth: Tensor, allowed: float) -> tuple[bool, str]:
    """The first keys alone: as many as asked for, none weaker than the ones left out."""
    for entry in document["top"]:
        row = truth[entry["batch"], entry["head"], entry["row"]]
        wanted = min(TOP, int((row > allowed).sum()))
        least = torch.topk(row, TOP).values[wanted - 1].item() if wanted else 0.0
        if not wanted <= len(entry["keys"]) <= TOP or any(row[look["key"]].item() < least - allowed for look in entry["keys"][:wanted]):
            return False, f"row {entry['row']}, batch {entry['batch']}, head {entry['head']}: {entry['keys']}"
    return True, f"{len(document['top'])} lists of {TOP}"


def compare(checks: Checks, name: str, problem: Problem, arguments: list[str], tables: Tables | None = None) -> None:
    """Three checks of one problem."""
    exact = problem.of(torch.float64)
    truth, unit = weights_of(exact), TOLERANCE[problem.dtype] * largest_of_one_and(by_hand(problem).lse)
    queries, keys = truth.shape[2:]
    rows = sorted({0, queries // 2, queries - 1})
    try:
        received, whole = checks.census(problem, arguments, tables or {}, rows, keys)
        _, first = checks.census(problem, arguments, tables or {}, rows, TOP)
    except ToolFailed as error:
        return checks.say(name, False, str(error))
    mass = truth.sum(2)
    apart, allowed = difference(received, mass).max().item(), unit * largest_of_one_and(mass)
    checks.say(f"{name}: received", received.shape == mass.shape and apart <= allowed, f"apart by {apart / allowed:.2f} of what is allowed")
    checks.say(f"{name}: rows", *judge_rows(whole, truth, rows, unit))
    return checks.say(f"{name}: top {TOP}", *judge_top(first, truth, unit))


with Checks() as all_checks:
    for element, dtype in NAMES.items():
        causal = replace(draw(dtype, 61, heads=(4, 2)), seen=lambda b, h, q, k: k <= q)
        compare(all_checks, f"{element} causal", causal, ["--mask", "causal"])
    drawn = draw(torch.float32, 67, logits=4)
    compare(all_checks, "f32 full", drawn, [])
    narrow = replace(drawn, seen=lambda b, h, q, k: (k <= q) & (q - k < 40), sink=torch.tensor([0.0, 3.0, -1.0, 9.0]))
    compare(all_checks, "f32 window(40) and a sink", narrow, ["--mask", "window(40)"])
    compare(all_checks, "f32 ALiBi and a cap", replace(drawn, score=lambda s, b, h, q, k: 5 * torch.tanh((s + SLOPE[h] * (k - q)) / 5)),
            ["--score", "alibi(slope)", "--score", "5.0 * tanh(s / 5.0)"], {"slope": SLOPE})
    compare(all_checks, "f32 rows that see nothing", replace(drawn, seen=lambda b, h, q, k: (q < 150) & (k <= q)), ["--mask", "q < 150 & k <= q"])
    compare(all_checks, "f32 causal at the end 17x300", end(replace(draw(torch.float32, 71, lengths=(17, 300)), seen=lambda b, h, q, k: k <= q)),
            ["--mask", "causal", "--align", "end"])
    compare(all_checks, "f32 logits x40", draw(torch.float32, 73, logits=40), [])
