"""heed and PyTorch side by side in one run: time, GFLOP/s and their ratio, GB/s for one query; then what heed's formulas, windows,
documents, threads and memory cost.

heed's side is `heed bench --json`: the tool times its own runs, so starting a process and making inputs do not count. PyTorch's side runs
in this process, without gradients: scaled_dot_product_attention; for one query also two products by hand; for a window also FlexAttention,
compiled (its compilation is printed apart). They take turns: a round is some runs of the one, then some of the other; the best time over
all rounds counts, for both. Inputs are normal random numbers. The head of the result says what the machine reads and multiplies at most.

    FLOP     4 H Tq Tk d forward, half of it for causal, 4 H d for each visible pair of a head elsewhere; the same figure divides both times
    bytes    of one query: K and V once, 2 Hkv Tk d times the size of a number
    ratio    time of PyTorch / time of heed: above 1 heed is faster

A target that is missed is printed as missed; nothing is left out. Some targets hold only on a machine with a matrix unit; rows without a
target have an empty cell. Absolute figures hold for the machine named in the result, ratios are the claim. The whole takes about 20
minutes on two cores, --quick about one.
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
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parents[1]
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
RUNS = 3  # of each in a round


@dataclass(frozen=True)
class Case:
    t: int  # keys, and queries where tq does not say otherwise
    d: int = 64
    heads: int = 4
    dtype: str = "f32"
    mask: str = ""
    scores: tuple[str, ...] = ()
    threads: int = 1
    tq: int = 0
    kv_heads: int = 0  # 0: as many as heads
    tables: tuple[str, ...] = ()  # NAME=FILE, what the mask looks up
    pairs: int = 0  # visible ones of a head, counted where the mask is neither full nor causal

    @property
    def queries(self) -> int:
        return self.tq or self.t

    @property
    def flop(self) -> float:
        return 4.0 * self.heads * self.d * (self.pairs or self.queries * self.t * (0.5 if self.mask == "causal" else 1.0))

    @property
    def key_value_bytes(self) -> int:
        return 2 * (self.kv_heads or self.heads) * self.t * self.d * DTYPES[self.dtype].itemsize

    @property
    def name(self) -> str:
        return f"{self.dtype} d={self.d} T={self.t:,} H={self.heads} {self.mask or 'full'}"

    def options(self) -> list[str]:
        """As `heed bench` takes them."""
        return [f"--tq={self.queries}", f"--tk={self.t}", f"--d={self.d}", f"--heads={self.heads}",
                f"--kv-heads={self.kv_heads or self.heads}", f"--dtype={self.dtype}", f"--threads={self.threads}",
                *([f"--mask={self.mask}"] if self.mask else []), *(f"--score={score}" for score in self.scores),
                *(f"--table={table}" for table in self.tables)]


def heed_json(tool: Path, *options: str) -> Any:
    """What `heed bench --json` says."""
    done = subprocess.run([str(tool), "bench", "--json", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"heed bench {' '.join(options)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def timed(call: Callable[[], object], threads: int, runs: int = RUNS) -> Callable[[], float]:
    """A function that makes so many calls in this process and returns the best time."""

    def seconds() -> float:
        torch.set_num_threads(threads)
        best = float("inf")
        for _ in range(runs):
            start = time.perf_counter()
            call()
            best = min(best, time.perf_counter() - start)
        return best

    return seconds


def random_inputs(case: Case) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Q [1, H, Tq, D], K and V [1, Hkv, Tk, D]."""
    generator = torch.Generator().manual_seed(1)

    def normal(heads: int, length: int) -> torch.Tensor:
        return torch.randn((1, heads, length, case.d), generator=generator).to(DTYPES[case.dtype])

    kv_heads = case.kv_heads or case.heads
    return normal(case.heads, case.queries), normal(kv_heads, case.t), normal(kv_heads, case.t)


def pytorch(case: Case, attn_mask: torch.Tensor | None = None) -> Callable[[], float]:
    """PyTorch's scaled_dot_product_attention on the case, as a contender."""
    q, k, v = random_inputs(case)
    is_causal = attn_mask is None and case.mask == "causal"
    return timed(lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask, is_causal=is_causal), case.threads)


class Bench:
    """The tool, the number of rounds, the machine's limits by number of threads, the kernels that ran by dtype, and the text so far."""

    def __init__(self, tool: Path, rounds: int, quick: bool) -> None:
        self.tool, self.rounds, self.quick = tool, rounds, quick
        self.limits = {threads: self.measured_limits(threads) for threads in (1, 2)}
        self.kernels: dict[str, set[str]] = {}
        self.text: list[str] = []

    def measured_limits(self, threads: int) -> dict[str, float]:
        limits: dict[str, float] = heed_json(self.tool, "--limits", f"--threads={threads}")["limits"]
        return limits

    def say(self, line: str = "") -> None:
        print(line, flush=True)
        self.text.append(line)

    def table(self, title: str, header: list[str]) -> None:
        self.say(f"\n## {title}\n")
        self.row(*header)
        self.row(*["---"] * len(header))

    def row(self, *cells: object) -> None:
        self.say("| " + " | ".join(map(str, cells)) + " |")

    def report(self, case: Case, repeat: int = RUNS, alone: bool = True) -> Any:
        """What `heed bench --json` says of the case."""
        report = heed_json(self.tool, *case.options(), f"--repeat={repeat}", *(["--alone"] if alone else []))
        self.kernels.setdefault(case.dtype, set()).add(report["kernel"])
        return report

    def heed(self, case: Case, repeat: int = RUNS) -> Callable[[], float]:
        return lambda: self.report(case, repeat)["seconds"]

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


def verdict(good: bool, target: float | None = None) -> str:
    """Whether a target was met; with the target before it where it differs from row to row."""
    return ("" if target is None else f"{target}: ") + ("met" if good else "**missed**")


def dense_cases(quick: bool) -> Iterator[Case]:
    for dtype in ("f32", "bf16") if quick else DTYPES:
        for d in (64,) if quick else (64, 128):
            for t in (1024,) if quick else (1024, 4096):
                for mask in ("", "causal"):
                    yield Case(t, d, dtype=dtype, mask=mask)


BF16_TARGETS = {(64, 1024): (2.6, 3.0), (128, 1024): (1.9, 2.2), (64, 4096): (3.2, 3.3), (128, 4096): (2.5, 2.6)}  # d, T: full, causal
DENSE_TARGETS = {"f32": {64: 2.1, 128: 1.9}, "f16": {64: 1.3, 128: 0.85}}
WITHOUT_MATRIX_UNIT = {"f32": {64: 1.1, 128: 1.0}}


def dense_target(case: Case, matrix_unit: bool) -> float | None:
    """The ratio that heed is to reach, if there is one."""
    if case.dtype == "bf16" and matrix_unit:
        return BF16_TARGETS[case.d, case.t][case.mask == "causal"]
    return (DENSE_TARGETS if matrix_unit else WITHOUT_MATRIX_UNIT).get(case.dtype, {}).get(case.d)


def dense(bench: Bench) -> None:
    """Full and causal attention, one thread and two. Targets by dtype, and by whether the machine has a matrix unit."""
    bench.table("Full and causal", ["case", "threads", "heed GFLOP/s", "PyTorch GFLOP/s", "ratio", "target"])
    for case in dense_cases(bench.quick):
        target = dense_target(case, bench.limits[1]["matrix_unit"] > 0)
        for threads in (1, 2):
            run = replace(case, threads=threads)
            ours, theirs = bench.best(bench.heed(run), pytorch(run))
            bench.row(case.name, threads, f"{case.flop / ours / 1e9:.1f}", f"{case.flop / theirs / 1e9:.1f}", f"{theirs / ours:.2f}",
                      "" if target is None else verdict(theirs / ours >= target, target))


def threads(bench: Bench) -> None:
    """Two threads against one. Target: 1.85 times as fast."""
    bench.table("Two threads against one", ["case", "heed", "PyTorch", "target 1.85"])
    for dtype in ("f32", "bf16"):
        for mask in ("", "causal"):
            one = Case(1024 if bench.quick else 4096, dtype=dtype, mask=mask)
            two = replace(one, threads=2)
            ours, ours_two, theirs, theirs_two = bench.best(bench.heed(one), bench.heed(two), pytorch(one), pytorch(two))
            bench.row(one.name, f"{ours / ours_two:.2f}", f"{theirs / theirs_two:.2f}", verdict(ours / ours_two >= 1.85))


def by_hand(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Attention of one query as two matrix products; the heads of a group stand where a matrix has its rows."""
    grouped = q.view(1, k.shape[1], -1, q.shape[-1]) * q.shape[-1] ** -0.5  # [1, Hkv, H / Hkv, D]
    return torch.softmax(grouped @ k.mT, dim=-1) @ v  # [1, Hkv, H / Hkv, D]


def decode_times(bench: Bench, case: Case, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> list[float]:
    """Of heed, of a plain read of as many bytes as K and V have, of scaled_dot_product_attention, and of PyTorch by hand."""
    runs, rounds = 5, min(bench.rounds, 3)  # a run is short, but the tool's making of its inputs takes seconds
    reads: list[float] = []

    def ours() -> float:
        report = heed_json(bench.tool, *case.options(), f"--repeat={runs}", "--alone", "--limits")
        reads.append(case.key_value_bytes / report["limits"]["same_bytes"])
        return float(report["seconds"])

    return bench.best(ours, lambda: reads[-1],
                      timed(lambda: F.scaled_dot_product_attention(q, k, v, enable_gqa=True), case.threads, runs),
                      timed(lambda: by_hand(q, k, v), case.threads, runs), rounds=rounds)


def decode(bench: Bench) -> None:
    """One query: how fast K and V are read. Target: 85 % of a plain read of as many bytes, in the same process."""
    bench.table("One query, 32 heads on 8 of keys, d = 128: GB/s of K and V",
                ["case", "threads", "K and V", "heed", "plain read", "PyTorch enable_gqa", "PyTorch by hand, heads grouped",
                 "heed / plain read", "target 85 %"])
    for dtype in ("bf16",) if bench.quick else ("bf16", "f16", "f32"):
        for keys in (16384,) if bench.quick else (16384, 131072):
            case = Case(keys, 128, 32, dtype, tq=1, kv_heads=8)
            inputs = random_inputs(case)
            for threads in (1, 2):
                times = decode_times(bench, replace(case, threads=threads), *inputs)
                rates = [case.key_value_bytes / seconds / 1e9 for seconds in times]
                share = rates[0] / rates[1]
                bench.row(f"{dtype} Tk={keys:,}", threads, size(case.key_value_bytes), *(f"{rate:.1f}" for rate in rates), f"{share:.0%}",
                          verdict(share >= 0.85))
    bench.say("\nThe plain read is `limits.same_bytes` of `heed bench --limits`, measured by the same process right after the runs: vector "
              "loads through buffers of as many bytes as the tensors have, caches included.")


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


def one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".replace("|", "/").split())[:200]


def compiled_flex(case: Case, width: int) -> tuple[Callable[[], float], float, float]:
    """FlexAttention under a window, compiled for the case's threads, as a contender; the seconds of its block mask and compilation."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention  # not in every PyTorch

    def visible(_batch: torch.Tensor, _head: torch.Tensor, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return (k <= q) & (q - k < width)

    torch.set_num_threads(case.threads)  # compiled code keeps it
    q, k, v = random_inputs(case)
    start = time.perf_counter()
    block_mask = create_block_mask(visible, None, None, case.t, case.t, device="cpu")
    middle = time.perf_counter()
    flex = torch.compile(flex_attention)
    flex(q, k, v, block_mask=block_mask)
    return timed(lambda: flex(q, k, v, block_mask=block_mask), case.threads), middle - start, time.perf_counter() - middle


def flex(bench: Bench) -> None:
    """A window of 256 keys, beside torch.compile(flex_attention). Target: 4 times as fast."""
    case = Case(4096, dtype="bf16", mask="window(256)")
    bench.table(f"FlexAttention compiled, {case.name}, one thread", ["who", "time", "ratio", "target 4"])
    with tempfile.TemporaryDirectory() as folder:  # of compiled code: what an earlier run left would hide the time that it takes
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
        try:
            theirs, mask_seconds, compile_seconds = compiled_flex(case, 256)
        except (ImportError, OSError, RuntimeError) as error:  # an older PyTorch, no compiler, a machine that it does not support
            bench.row("FlexAttention", f"does not compile here: {one_line(error)}", "", "")
            return
        ours, flexible = bench.best(bench.heed(case), theirs)
    bench.row("heed", milliseconds(ours), f"{flexible / ours:.2f}", verdict(flexible / ours >= 4))
    bench.row("FlexAttention", milliseconds(flexible), "", "")
    bench.row("FlexAttention, its compilation, once", milliseconds(compile_seconds), "", "")
    bench.row("FlexAttention, its block mask, once", milliseconds(mask_seconds), "", "")


FORMULAS = {"ALiBi by name": "alibi(4)", "ALiBi as typed": "s + 0.25 * (k - q)", "softcap as typed": "30.0 * tanh(s / 30.0)",
            "temperature as typed": "s / 2.0"}


def formula_target(case: Case, formula: str) -> float | None:
    """What a formula may take of plain attention's time, if that is limited."""
    if case.dtype == "f32":
        return 1.25
    return None if formula.startswith("temperature") else 1.5


def formulas(bench: Bench) -> None:
    """What a score formula costs. Targets: 1.25 times plain attention in f32; 1.5 times for ALiBi and softcap in bf16."""
    bench.table("Score formulas, one thread", ["case", "formula", "time / plain", "target"])
    for dtype, d in (("f32", 64), ("bf16", 64), ("bf16", 128)):
        for mask in ("", "causal"):
            plain = Case(1024 if bench.quick else 4096, d, dtype=dtype, mask=mask)
            times = bench.best(bench.heed(plain), *(bench.heed(replace(plain, scores=(text,))) for text in FORMULAS.values()))
            for (name, text), seconds in zip(FORMULAS.items(), times[1:], strict=True):
                ratio, target = seconds / times[0], formula_target(plain, name)
                bench.row(plain.name, f"{name}: `{text}`", f"{ratio:.3f}", "" if target is None else verdict(ratio <= target, target))


def documents(bench: Bench) -> None:
    """Documents of 512 tokens packed into a sequence. Target: a visible pair costs at most 1.15 times what it costs under causal."""
    bench.table("Documents of 512 tokens, `causal & doc[q] == doc[k]`, one thread",
                ["case", "visible pairs of a head", "time", "causal's pairs", "causal's time", "time of a pair / causal's", "target 1.15"])
    with tempfile.TemporaryDirectory() as folder:
        for t in (1024,) if bench.quick else (4096, 8192):
            doc = np.arange(t) // 512
            file = Path(folder) / f"doc{t}.npy"
            np.save(file, doc)
            everything = np.tri(t, dtype=bool)  # [q, k]
            within = everything & (doc[:, None] == doc[None, :])
            for d in (64, 128):
                causal = Case(t, d, dtype="bf16", mask="causal", pairs=int(everything.sum()))
                case = replace(causal, mask="causal & doc[q] == doc[k]", tables=(f"doc={file}",), pairs=int(within.sum()))
                ours, whole = bench.best(bench.heed(case), bench.heed(causal))
                ratio = (ours / case.pairs) / (whole / causal.pairs)
                bench.row(f"bf16 d={d} T={t:,} H={case.heads}", f"{case.pairs:,}", milliseconds(ours), f"{causal.pairs:,}",
                          milliseconds(whole), f"{ratio:.3f}", verdict(ratio <= 1.15))


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
    report = bench.report(case, 1)
    bench.row(case.name, "heed", milliseconds(report["seconds"]), f"{case.flop / report['seconds'] / 1e9:.1f}",
              size(report["scratch_bytes"]), size(report["square_bytes"]))
    theirs = pytorch(case)()
    bench.row("", "PyTorch", milliseconds(theirs), f"{case.flop / theirs / 1e9:.1f}", "", "")
    long_typed(bench)


def long_typed(bench: Bench) -> None:
    """The same under a mask as typed, in bf16. Target: 80 % of the rate at an eighth of the length."""
    t, width = (16384, 12500) if bench.quick else (131072, 100000)
    text = f"k <= q & q - k < {width}"
    long_case, short_case = (Case(length, heads=1, dtype="bf16", mask=text, threads=2, pairs=sum(min(q + 1, width) for q in range(length)))
                             for length in (t, t // 8))
    bench.table(f"A long sequence under a mask as typed, `{text}`, bf16, d = 64, one head, two threads",
                ["T", "visible pairs", "time", "GFLOP/s", "rate / the short one's", "target 80 %"])
    seconds, short_seconds = bench.best(bench.heed(long_case, 1), bench.heed(short_case), rounds=min(bench.rounds, 2))
    rate, short_rate = long_case.flop / seconds / 1e9, short_case.flop / short_seconds / 1e9
    bench.row(f"{short_case.t:,}", f"{short_case.pairs:,}", milliseconds(short_seconds), f"{short_rate:.1f}", "", "")
    bench.row(f"{long_case.t:,}", f"{long_case.pairs:,}", milliseconds(seconds), f"{rate:.1f}", f"{rate / short_rate:.0%}",
              verdict(rate / short_rate >= 0.8))


def classic(bench: Bench) -> None:
    """The operator that writes S x S down, beside the fused kernel: they take turns inside `heed bench`."""
    bench.table("Classic beside simd, one thread", ["case", "kernel", "time", "GFLOP/s", "scratch"])
    for mask in ("", "causal"):
        case = Case(1024 if bench.quick else 4096, mask=mask)
        reports = [bench.report(case, alone=False) for _ in range(bench.rounds)]
        ours = min(report["seconds"] for report in reports)
        plain = min(report["classic"]["seconds"] for report in reports)
        bench.row(case.name, reports[0]["kernel"], milliseconds(ours), f"{case.flop / ours / 1e9:.1f}", size(reports[0]["scratch_bytes"]))
        bench.row("", "classic", milliseconds(plain), f"{case.flop / plain / 1e9:.1f}", size(reports[0]["classic"]["scratch_bytes"]))


PARTS = {part.__name__: part for part in (dense, threads, decode, window, flex, formulas, documents, typed, long, classic)}


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return os.uname().machine


def found_here(tool: Path) -> str:
    text = subprocess.run([str(tool), "--version"], capture_output=True, text=True, check=True).stdout
    return " ".join(line.partition("found here")[2].strip() for line in text.splitlines() if line.startswith("found here"))


def limits_text(limits: dict[str, float], threads: int) -> str:
    units = [(f"{name} {limits[key] / 1e9:.0f} GFLOP/s" if limits[key] else f"no {name}")
             for key, name in (("multiply_add", "f32 multiply-adds"), ("bf16_dot", "bf16 dot products"), ("matrix_unit", "matrix unit"))]
    reads = [f"{key.upper()} {limits[key] / 1e9:.0f}" for key in ("l1", "l2", "l3", "dram")]
    return (f"- limits measured on {threads} thread{'s' if threads > 1 else ''}: {', '.join(units)}, exp {limits['exp'] / 1e9:.1f} G/s, "
            f"GB/s read from {', '.join(reads)}")


def kernels_text(bench: Bench) -> str:
    ran = "; ".join(f"{dtype} {', '.join(sorted(kernels))}" for dtype, kernels in bench.kernels.items())
    return f"- heed's kernels that ran: {ran or 'none'}"


def head(bench: Bench) -> None:
    bench.say(f"# heed against PyTorch, {datetime.date.today()}\n")
    bench.say(f"{cpu_name()}, {len(os.sched_getaffinity(0))} cores; heed's instruction sets: {found_here(bench.tool)}; "
              f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; load at the start {os.getloadavg()[0]:.2f}; "
              f"{bench.rounds} rounds of {RUNS} runs, the best counts.\n")
    for threads, limits in bench.limits.items():
        bench.say(limits_text(limits, threads))


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
    head_end = len(bench.text)
    with torch.inference_mode():
        for name in options.only.split(","):
            PARTS[name](bench)
    print(f"\n{kernels_text(bench)}")
    bench.text.insert(head_end, kernels_text(bench))
    if not options.quick and options.only == ",".join(PARTS):
        result_file().parent.mkdir(exist_ok=True)
        result_file().write_text("\n".join(bench.text) + "\n")
        print(f"\nwrote {result_file().relative_to(ROOT)}")


main()
