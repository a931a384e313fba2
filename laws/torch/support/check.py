"""Runs the tool on a problem, judges what it wrote, prints a line for each check: `ok NAME …` or `FAIL NAME …`.

A check fails where the tool fails (its standard error is shown), where O or L breaks the accuracy rule (of float64: where they are not
the oracle's, but for rounding), where their shapes or element types are not those promised, and where two oracles disagree about the truth. Cost: one process and some S x S matrices per check.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .files import read_npy, write_safetensors
from .judge import difference, judge_lse, judge_o, largest_of_one_and
from .problem import Answer, Oracle, Problem, by_hand, naive, rounding

ROOT = Path(__file__).resolve().parents[3]
AGREEMENT = 1e-10  # of two oracles in float64, relative to the largest of 1 and the values
IN_DOUBLE = 1e-12  # of heed with an oracle, both in float64, likewise
LONGEST = 120  # seconds for one run of the tool
Tables = dict[str, Tensor]
Json = dict[str, Any]


class ToolFailed(Exception):
    """The tool's exit status was not 0; carries its standard error in one line."""


class Checks:
    """Counts checks; `with Checks() as checks:` makes the folder for files and ends the program with the right status."""

    def __init__(self) -> None:
        parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("tool", nargs="?", type=Path, default=ROOT / "build" / "heed", help="the tool to judge; default build/heed")
        self.tool: Path = parser.parse_args().tool.resolve()
        self.passed = self.failed = 0
        self.start = time.monotonic()
        torch.set_num_threads(1)  # the matrices are small, and waiting threads cost more than they help

    def __enter__(self) -> "Checks":
        self.folder = tempfile.TemporaryDirectory(prefix="heed-torch-")
        self.path = Path(self.folder.name)
        return self

    def __exit__(self, *failure: object) -> None:
        self.folder.cleanup()
        print(f"{self.passed} passed, {self.failed} failed in {time.monotonic() - self.start:.0f} s")
        if failure[0] is None:
            sys.exit(self.failed > 0)

    def say(self, name: str, good: bool, remark: str) -> None:
        self.passed, self.failed = self.passed + good, self.failed + (not good)
        print("ok" if good else "FAIL", name, "--", remark, flush=True)

    def heed(self, *arguments: object) -> str:
        """Standard output of the tool."""
        command = [str(self.tool), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
        if done.returncode:
            raise ToolFailed(f"status {done.returncode} of `heed {' '.join(command[1:])}`: {' / '.join(done.stderr.strip().splitlines())}")
        return done.stdout

    def attend(self, problem: Problem, arguments: list[str], tables: Tables, layout: str = "bhtd") -> Answer:
        """O and L as the tool writes them. Tables and sink travel in the same file as q, k, v."""
        file, o, lse = self.path / "problem.safetensors", self.path / "o.npy", self.path / "lse.npy"
        tensors = {name: getattr(problem, name).transpose(1, 2) if layout == "bthd" else getattr(problem, name) for name in "qkv"}
        tensors |= tables if problem.sink is None else {**tables, "sink": problem.sink}
        write_safetensors(file, tensors)
        named = [f"--table={name}={file}:{name}" for name in tables]
        more = [] if problem.sink is None else ["--sink", f"{file}:sink"]
        more += [] if problem.scale is None else [f"--scale={problem.scale!r}"]
        more += [] if layout == "bhtd" else ["--layout", layout]
        self.heed("attend", file, "--out", o, "--lse", lse, *named, *more, *arguments)
        return Answer(read_npy(o), read_npy(lse))

    def census(self, problem: Problem, arguments: list[str], tables: Tables, rows: list[int], top: int) -> tuple[Tensor, Json]:
        """Weight received by each key, and the JSON with the strongest keys of some rows."""
        file, received = self.path / "problem.safetensors", self.path / "received.npy"
        sink = {} if problem.sink is None else {"sink": problem.sink}
        write_safetensors(file, {"q": problem.q, "k": problem.k, "v": problem.v, **tables, **sink})
        named = [f"--table={name}={file}:{name}" for name in tables] + [f"--sink={file}:sink" for _ in sink]
        text = self.heed("attend", file, "--received", received, "--json", "--top", top, "--rows", ",".join(map(str, rows)), *named, *arguments)
        return read_npy(received), json.loads(text)

    def scores(self, problem: Problem, arguments: list[str], tables: Tables, stage: str) -> Tensor:
        """The matrix of scores of a stage."""
        file, scores = self.path / "problem.safetensors", self.path / "scores.npy"
        sink = {} if problem.sink is None else {"sink": problem.sink}
        write_safetensors(file, {"q": problem.q, "k": problem.k, "v": problem.v, **tables, **sink})
        named = [f"--table={name}={file}:{name}" for name in tables] + [f"--sink={file}:sink" for _ in sink]
        named += [] if problem.scale is None else [f"--scale={problem.scale!r}"]
        self.heed("attend", file, "--scores", scores, "--scores-stage", stage, *named, *arguments)
        return read_npy(scores)

    def compare(self, name: str, problem: Problem, arguments: list[str], oracle: Oracle = by_hand, *, tables: Tables | None = None,
                layout: str = "bhtd", given: Problem | None = None) -> None:
        """One check: the tool with `arguments` against `oracle`; the tool is given `given` where the truth must not see it."""
        try:
            result = self.attend(problem if given is None else given, arguments, tables or {}, layout)
        except (ToolFailed, OSError, subprocess.TimeoutExpired) as error:
            return self.say(name, False, str(error))
        return self.say(name, *verdict(problem, result, oracle(problem)))

    def refuses(self, name: str, problem: Problem, arguments: list[str], oracle: Oracle = by_hand, *, tables: Tables | None = None,
                given: Problem | None = None) -> None:
        """One check of the checks: the tool given something else than the oracle must not pass."""
        try:
            good, remark = verdict(problem, self.attend(problem if given is None else given, arguments, tables or {}), oracle(problem))
        except (ToolFailed, OSError, subprocess.TimeoutExpired) as error:
            return self.say(name, False, str(error))
        return self.say(name, not good and remark.startswith("of what is allowed"), remark)


def unlike_promised(problem: Problem, result: Answer) -> str:
    """What is wrong with the form of a result; empty where nothing is."""
    shape = (*problem.q.shape[:3], problem.v.shape[3])
    dtype = torch.float32 if problem.dtype == torch.bfloat16 else problem.dtype
    statistic = torch.float64 if problem.dtype == torch.float64 else torch.float32
    if result.o.shape != shape or result.o.dtype != dtype:
        return f"O is {result.o.dtype} {list(result.o.shape)}, not {dtype} {list(shape)}"
    if result.lse.shape != shape[:3] or result.lse.dtype != statistic:
        return f"L is {result.lse.dtype} {list(result.lse.shape)}, not {statistic} {list(shape[:3])}"
    return ""


def verdict(problem: Problem, result: Answer, truth: Answer) -> tuple[bool, str]:
    """Whether the result obeys the accuracy rule, and by how much, in words."""
    wrong = unlike_promised(problem, result)
    if wrong:
        return False, wrong
    ours = by_hand(problem)
    unseen = ours.lse == -torch.inf
    o = torch.where(unseen.unsqueeze(-1), 0.0, truth.o)
    apart = difference(ours.o, o).max().item() / largest_of_one_and(o)
    apart = max(apart, difference(ours.lse, truth.lse).max().item() / largest_of_one_and(truth.lse))
    if apart > AGREEMENT:
        return False, f"the oracles disagree by {apart:.1e}: the check itself is wrong"
    if problem.dtype == torch.float64:
        o_error = difference(result.o, o).max().item() / largest_of_one_and(o)
        lse_error = difference(result.lse, truth.lse).max().item() / largest_of_one_and(truth.lse)
        return max(o_error, lse_error) <= IN_DOUBLE, f"of what is allowed: O {o_error / IN_DOUBLE:.2f}, L {lse_error / IN_DOUBLE:.2f}"
    worst, typical = judge_o(result.o.to(problem.dtype), o, naive(problem), rounding(problem), problem.dtype)  # .npy has no bf16: the file is f32
    lse = judge_lse(result.lse, truth.lse, problem.dtype)
    return max(worst, typical, lse) <= 1, f"of what is allowed: O max {worst:.2f}, O rms {typical:.2f}, L {lse:.2f}"
