"""GPU utilisation of an iterated attack: `python benchmarks/gpu.py --model shg8 --size published`.

A gradient of one image is a forward pass and a backward pass to the input. Their operations are counted by torch's
FLOP counter and compared with the fastest large matrix product measured in the same run. Weights are random,
because the cost of a pass does not depend on them.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from robustpose.attacks.acceleration import fused_copy
from robustpose.models import build

KINDS = {
    "matrix units": ("gemm", "conv", "xmma", "cudnn", "cutlass", "wgrad", "dgrad", "fprop", "sm90_", "sm80_"),
    "layout": ("nchwtonhwc", "nhwctonchw", "transpose", "copy", "cat"),
}
"""Kinds of kernels by parts of their names, in order of priority; all others are pointwise operations."""


@dataclass(frozen=True)
class Rate:
    """The measured speed of one way to compute gradients."""

    way: str
    batch: int
    gradients_per_second: float
    teraflops: float
    ceiling: float
    share: float
    by_kind: dict[str, float]
    gigabytes: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", "--net", dest="model", default="shg8")
    parser.add_argument("--size", default="published")
    parser.add_argument("--batches", default="8,64")
    parser.add_argument("--steps", type=int, default=10, help="number of timed steps")
    parser.add_argument("--compile", action="store_true", help="also measure torch.compile")
    parser.add_argument("--json", default="", help="also write the results to this file")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("benchmarks/gpu.py needs a CUDA device; none was found")
    model = build(arguments.model, size=arguments.size).eval().requires_grad_(False).cuda()
    side = int(model.input_size[0])  # type: ignore[index]
    work = operations(model, torch.rand(1, 3, side, side, device="cuda"))
    parameters = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}; {arguments.model} {arguments.size}: ", end=""
    )
    print(f"{parameters:.1f} M parameters, {work / 1e9:.1f} G operations per gradient\n")
    print("| search | batch | gradients/s | TFLOP/s | ceiling | share | GPU time by kind | memory |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    rates = []
    for batch in map(int, arguments.batches.split(",")):
        images = torch.rand(batch, 3, side, side, device="cuda")
        for way, step, ceiling in ways(model, images, with_compile=arguments.compile):
            torch.cuda.empty_cache()
            rate = measure(way, step, images, work=work, ceiling=ceiling, steps=arguments.steps)
            rates.append(rate)
            kinds = ", ".join(f"{kind} {100 * share:.0f}%" for kind, share in rate.by_kind.items())
            print(
                f"| {way} | {batch} | {rate.gradients_per_second:.0f} | {rate.teraflops:.1f} | {ceiling:.0f} "
                f"| {100 * rate.share:.0f}% | {kinds} | {rate.gigabytes:.1f} GB |",
                flush=True,
            )
    if arguments.json:
        with open(arguments.json, "w") as file:  # noqa: PTH123
            json.dump([asdict(rate) for rate in rates], file, indent=1)


def ways(
    model: nn.Module, images: Tensor, *, with_compile: bool
) -> Iterator[tuple[str, Callable[[Tensor], Tensor], float]]:
    """Yield ways to compute gradients: name, gradient function, and peak TFLOP/s of its arithmetic."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    copy: Any = fused_copy(model, images[:1])  # type: ignore[arg-type]
    assert copy is not None, "the model has no fused copy"
    fp32, tf32, bf16 = (
        matrix_ceiling(dtype, tf32=tf32)
        for dtype, tf32 in ((torch.float32, False), (torch.float32, True), (torch.bfloat16, False))
    )
    yield "the model, fp32", plain(model, None, tf32=False), fp32
    yield "fused copy, fp32", plain(copy, None, tf32=False), fp32
    yield "fused copy, TF32", plain(copy, None, tf32=True), tf32
    step = plain(copy, torch.bfloat16, tf32=False)
    yield "fused copy, bf16", step, bf16
    yield "fused copy, bf16, CUDA graph", graphed(step, images), bf16
    if with_compile:
        yield "fused copy, bf16, compiled", plain(torch.compile(copy), torch.bfloat16, tf32=False), bf16


def plain(
    model: Callable[..., object], precision: torch.dtype | None, *, tf32: bool
) -> Callable[[Tensor], Tensor]:
    """Return a function that gives the gradient of the sum of squares of the last stage."""

    def gradient(images: Tensor) -> Tensor:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
        asked = images.detach().contiguous(memory_format=torch.channels_last).requires_grad_(True)
        with torch.autocast("cuda", dtype=precision, enabled=precision is not None):
            stages = model(asked).stages  # type: ignore[attr-defined]
        (found,) = torch.autograd.grad(stages[-1].float().square().sum(), asked)
        return found

    return gradient


def graphed(step: Callable[[Tensor], Tensor], images: Tensor) -> Callable[[Tensor], Tensor]:
    """Record a step as a CUDA graph, so that the host launches one graph instead of hundreds of kernels."""
    static = images.clone()
    stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(static)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = step(static)

    def replay(images: Tensor) -> Tensor:
        static.copy_(images)
        graph.replay()
        return found

    return replay


def operations(model: nn.Module, images: Tensor) -> float:
    """Count the operations of one gradient; a multiply-add counts as two."""
    leaf = images.detach().requires_grad_(True)
    counter = FlopCounterMode(display=False)
    with counter:
        stages = model(1.0 * leaf).stages  # the counter does not accept a leaf as a module's input
        torch.autograd.grad(stages[-1].square().sum(), leaf)
    return float(counter.get_total_flops())


def matrix_ceiling(dtype: torch.dtype, *, tf32: bool) -> float:
    """Return the highest TFLOP/s over a few large matrix products."""
    torch.backends.cuda.matmul.allow_tf32 = tf32
    best = 0.0
    for side in (4096, 8192):
        left = torch.randn(side, side, device="cuda", dtype=dtype)
        seconds = timed(lambda left=left: left @ left, times=5)  # type: ignore[misc]
        best = max(best, 2 * side**3 / seconds / 1e12)
    return best


def measure(
    way: str, step: Callable[[Tensor], Tensor], images: Tensor, *, work: float, ceiling: float, steps: int
) -> Rate:
    """Measure the speed of a way to compute gradients, and the GPU time by kind of kernel."""
    torch.cuda.reset_peak_memory_stats()
    seconds = timed(lambda: step(images), times=steps)
    rate = len(images) / seconds
    teraflops = rate * work / 1e12
    return Rate(
        way=way,
        batch=len(images),
        gradients_per_second=rate,
        teraflops=teraflops,
        ceiling=ceiling,
        share=teraflops / ceiling,
        by_kind=by_kind(lambda: step(images), seconds),
        gigabytes=torch.cuda.max_memory_allocated() / 1e9,
    )


def timed(run: Callable[[], object], *, times: int) -> float:
    """Return the mean seconds of one run over `times` runs, after three warm-up runs."""
    for _ in range(3):
        run()
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    start.record()
    for _ in range(times):
        run()
    stop.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(stop)) / 1e3 / times


def by_kind(run: Callable[[], object], seconds: float) -> dict[str, float]:
    """Return the shares of a run's `seconds` by kind of kernel; in the rest, the GPU is idle."""
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        run()
        torch.cuda.synchronize()
    shares: dict[str, float] = defaultdict(float)
    for event in profiled.key_averages():
        name = event.key.lower()
        kind = next((kind for kind, words in KINDS.items() if any(word in name for word in words)), "pointwise")
        shares[kind] += event.self_device_time_total / 1e6 / seconds
    shares["idle"] = max(0.0, 1 - sum(shares.values()))
    return {kind: round(share, 3) for kind, share in shares.items()}


if __name__ == "__main__":
    main()
