"""heed and PyTorch side by side in one run: time, GFLOP/s and their ratio; then what heed's formulas, windows, threads and memory cost.

heed's side is `heed bench --json`: the tool times its own runs, so starting a process and making inputs do not count. PyTorch's side is
scaled_dot_product_attention in this process, without gradients. They take turns: a round is some runs of the one, then some of the other;
the best time over all rounds counts, for both. Inputs are normal random numbers.

    FLOP     4 H Tq Tk d forward, half of it for causal; the same figure divides both times
    ratio    time of PyTorch / time of heed: above 1 heed is faster

A target that is missed is printed as missed; nothing is left out. Absolute figures hold for the machine named in the result, ratios are the
claim. The whole takes about 15 minutes on two quiet cores, --quick about one.
    python bench/against_torch.py [--quick] [--tool build/heed] [--rounds 5] [--only dense,window,…]
Writes bench/results/DATE-CPU.md (a later run of the same day replaces it); with --quick or --only the screen alone.
"""
import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parents[1]
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
RUNS = 3  # of each in a round


@dataclass(frozen=True)
class Case:
    t: int
    d: int = 64
    heads: int = 4
    dtype: str = "f32"
    mask: str = ""
    scores: tuple[str, ...] = ()
    threads: int = 1

    @property
    def flop(self) -> float:
        return 4.0 * self.heads * self.t * self.t * self.d * (0.5 if self.mask == "causal" else 1.0)

    @property
    def name(self) -> str:
        return f"{self.dtype} d={self.d} T={self.t:,} H={self.heads} {self.mask or 'full'}"


def heed(tool: Path, case: Case, repeat: int = RUNS, alone: bool = True) -> Any:
    """What `heed bench --json` says of the case."""
    command = [str(tool), "bench", "--json", f"--t={case.t}", f"--d={case.d}", f"--heads={case.heads}", f"--dtype={case.dtype}",
               f"--threads={case.threads}", f"--repeat={repeat}"]
    command += ["--alone"] if alone else []
    command += [f"--mask={case.mask}"] if case.mask else []
    command += [f"--score={score}" for score in case.scores]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[1:])}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def pytorch(case: Case, attn_mask: torch.Tensor | None = None) -> Callable[[], float]:
    """A function that runs PyTorch RUNS times and returns the best time."""
    generator = torch.Generator().manual_seed(1)
    shape = (1, case.heads, case.t, case.d)
    q, k, v = (torch.randn(shape, generator=generator).to(DTYPES[case.dtype]) for _ in range(3))

    def seconds() -> float:
        torch.set_num_threads(case.threads)
        best = float("inf")
        for _ in range(RUNS):
            start = time.perf_counter()
            F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask, is_causal=attn_mask is None and case.mask == "causal")
            best = min(best, time.perf_counter() - start)
        return best

    return seconds


class Bench:
    """The tool, the number of rounds, and the text so far."""

    def __init__(self, tool: Path, rounds: int, quick: bool) -> None:
        self.tool, self.rounds, self.quick = tool, rounds, quick
        self.text: list[str] = []

    def say(self, line: str = "") -> None:
        print(line, flush=True)
        self.text.append(line)

    def table(self, title: str, header: list[str]) -> None:
        self.say(f"\n## {title}\n")
        self.row(*header)
        self.row(*["---"] * len(header))

    def row(self, *cells: object) -> None:
        self.say("| " + " | ".join(map(str, cells)) + " |")

    def heed(self, case: Case, repeat: int = RUNS) -> Callable[[], float]:
        return lambda: heed(self.tool, case, repeat)["seconds"]

    def best(self, *contenders: Callable[[], float], rounds: int = 0) -> list[float]:
        """The best time of each; they take turns, and the order is turned around from round to round."""
        times = [float("inf")] * len(contenders)
        for turn in range(rounds or self.rounds):
            order = range(len(contenders))
            for i in order if turn % 2 == 0 else reversed(order):
                times[i] = min(times[i], contenders[i]())
        return times


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def verdict(good: bool) -> str:
    return "met" if good else "**missed**"


def dense_cases(quick: bool) -> Iterator[Case]:
    for dtype in ("f32", "bf16") if quick else DTYPES:
        for d in (64,) if quick else (64, 128):
            for t in (1024,) if quick else (1024, 4096):
                for mask in ("", "causal"):
                    yield Case(t, d, dtype=dtype, mask=mask)


def dense(bench: Bench) -> None:
    """Full and causal attention, one thread and two."""
    bench.table("Full and causal", ["case", "threads", "heed GFLOP/s", "PyTorch GFLOP/s", "ratio"])
    for case in dense_cases(bench.quick):
        for threads in (1, 2):
            run = replace(case, threads=threads)
            ours, theirs = bench.best(bench.heed(run), pytorch(run))
            bench.row(case.name, threads, f"{case.flop / ours / 1e9:.1f}", f"{case.flop / theirs / 1e9:.1f}", f"{theirs / ours:.2f}")


def threads(bench: Bench) -> None:
    """Two threads against one. Target: 1.85 times as fast."""
    bench.table("Two threads against one", ["case", "heed", "PyTorch", "target 1.85"])
    for dtype in ("f32", "bf16"):
        for mask in ("", "causal"):
            one = Case(1024 if bench.quick else 4096, dtype=dtype, mask=mask)
            two = replace(one, threads=2)
            ours, ours_two, theirs, theirs_two = bench.best(bench.heed(one), bench.heed(two), pytorch(one), pytorch(two))
            bench.row(one.name, f"{ours / ours_two:.2f}", f"{theirs / theirs_two:.2f}", verdict(ours / ours_two >= 1.85))


def band(t: int, width: int) -> torch.Tensor:
    return torch.ones(t, t, dtype=torch.bool).tril().triu(1 - width)


def window(bench: Bench) -> None:
    """A window of 256 keys. Target: a twelfth of causal's time."""
    t = 16384
    bench.table(f"window(256) at T = {t:,}, one head, one thread", ["case", "time", "heed's causal / this", "target 12"])
    for dtype in ("f32",) if bench.quick else ("f32", "bf16"):
        causal = Case(t, heads=1, dtype=dtype, mask="causal")
        narrow = replace(causal, mask="window(256)")
        full, ours, theirs, masked = bench.best(bench.heed(causal), bench.heed(narrow), pytorch(causal), pytorch(narrow, band(t, 256)))
        bench.row(f"heed {dtype} causal", milliseconds(full), "1.0", "")
        bench.row(f"heed {dtype} window(256)", milliseconds(ours), f"{full / ours:.1f}", verdict(full / ours >= 12))
        bench.row(f"PyTorch {dtype} is_causal", milliseconds(theirs), f"{full / theirs:.1f}", "")
        bench.row(f"PyTorch {dtype} with a mask tensor of {size(t * t)}", milliseconds(masked), f"{full / masked:.2f}", "")


FORMULAS = {"ALiBi by name": "alibi(4)", "ALiBi as typed": "s + 0.25 * (k - q)", "softcap as typed": "30.0 * tanh(s / 30.0)",
            "temperature as typed": "s / 2.0"}


def formulas(bench: Bench) -> None:
    """What a score formula costs. Target in f32: 1.25 times plain attention."""
    bench.table("Score formulas, one thread", ["case", "formula", "time / plain", "target 1.25 in f32"])
    for dtype in ("f32", "bf16"):
        for mask in ("", "causal"):
            plain = Case(1024 if bench.quick else 4096, dtype=dtype, mask=mask)
            times = bench.best(bench.heed(plain), *(bench.heed(replace(plain, scores=(text,))) for text in FORMULAS.values()))
            for (name, text), seconds in zip(FORMULAS.items(), times[1:], strict=True):
                ratio = seconds / times[0]
                bench.row(plain.name, f"{name}: `{text}`", f"{ratio:.3f}", verdict(ratio <= 1.25) if dtype == "f32" else "")


def typed(bench: Bench) -> None:
    """A mask as typed against the same mask by name. Target: within 3 %."""
    bench.table("A mask as typed against its name, one thread", ["mask as typed", "name", "time as typed / by name", "target within 3 %"])
    for text, name in (("k <= q", "causal"), ("k <= q & q - k < 256", "window(256)")):
        by_name = Case(1024 if bench.quick else 4096, mask=name)
        ours, named = bench.best(bench.heed(replace(by_name, mask=text)), bench.heed(by_name), rounds=2 * bench.rounds)
        bench.row(f"`{text}`", f"`{name}`", f"{ours / named:.3f}", verdict(abs(ours / named - 1) <= 0.03))


def long(bench: Bench) -> None:
    """One long head, causal, two threads: time, and scratch against the S x S matrix."""
    case = Case(16384 if bench.quick else 131072, heads=1, mask="causal", threads=2)
    bench.table("A long sequence, two threads", ["case", "who", "time", "GFLOP/s", "scratch", "S x S in f32"])
    report = heed(bench.tool, case, 1)
    bench.row(case.name, "heed", milliseconds(report["seconds"]), f"{case.flop / report['seconds'] / 1e9:.1f}", size(report["scratch_bytes"]),
              size(report["square_bytes"]))
    theirs = pytorch(case)()
    bench.row("", "PyTorch", milliseconds(theirs), f"{case.flop / theirs / 1e9:.1f}", "", "")


def classic(bench: Bench) -> None:
    """The operator that writes S x S down, beside the fused kernel: they take turns inside `heed bench`."""
    bench.table("Classic beside simd, one thread", ["case", "kernel", "time", "GFLOP/s", "scratch"])
    for mask in ("", "causal"):
        case = Case(1024 if bench.quick else 4096, mask=mask)
        reports = [heed(bench.tool, case, alone=False) for _ in range(bench.rounds)]
        ours = min(report["seconds"] for report in reports)
        plain = min(report["classic"]["seconds"] for report in reports)
        bench.row(case.name, reports[0]["kernel"], milliseconds(ours), f"{case.flop / ours / 1e9:.1f}", size(reports[0]["scratch_bytes"]))
        bench.row("", "classic", milliseconds(plain), f"{case.flop / plain / 1e9:.1f}", size(reports[0]["classic"]["scratch_bytes"]))


PARTS = {part.__name__: part for part in (dense, threads, window, formulas, typed, long, classic)}


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return os.uname().machine


def found_here(tool: Path) -> str:
    text = subprocess.run([str(tool), "--version"], capture_output=True, text=True, check=True).stdout
    return " ".join(line.partition("found here")[2].strip() for line in text.splitlines() if line.startswith("found here"))


def head(bench: Bench) -> None:
    bench.say(f"# heed against PyTorch, {datetime.date.today()}\n")
    bench.say(f"{cpu_name()}, {len(os.sched_getaffinity(0))} cores; heed's instruction sets: {found_here(bench.tool)}; "
              f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; load at the start {os.getloadavg()[0]:.2f}; "
              f"{bench.rounds} rounds of {RUNS} runs, the best counts.")


def result_file() -> Path:
    slug = re.sub(r"[^a-z0-9]+", "-", cpu_name().lower()).strip("-")
    return ROOT / "bench" / "results" / f"{datetime.date.today()}-{slug}.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, two rounds, no result file")
    parser.add_argument("--tool", type=Path, default=ROOT / "build" / "heed")
    parser.add_argument("--rounds", type=int, help="default 5, with --quick 2")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, between commas: " + ", ".join(PARTS))
    options = parser.parse_args()
    bench = Bench(options.tool.resolve(), options.rounds or (2 if options.quick else 5), options.quick)
    head(bench)
    with torch.inference_mode():
        for name in options.only.split(","):
            PARTS[name](bench)
    if not options.quick and options.only == ",".join(PARTS):
        result_file().parent.mkdir(exist_ok=True)
        result_file().write_text("\n".join(bench.text) + "\n")
        print(f"\nwrote {result_file().relative_to(ROOT)}")


main()
