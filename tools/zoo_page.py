"""The text and tables of docs/zoo.md, from the measurements of write_zoo.py."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robustpose.data.rendered import SAME_TRAINING_PEOPLE
from robustpose.metrics import ALL, Estimate
from robustpose.models import MODELS, TASKS
from robustpose.models.weights import WeightFacts
from robustpose.train import Recipe

GROUPS = ("head_top", "upper_neck", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
AIMS = {
    **dict.fromkeys(("shg2", "shg8", "attention_hg", "dlcm"), (78.0, 68.0)),
    **dict.fromkeys(("resdec", "resdec_pre", "chained"), (72.0, 62.0)),
    **dict.fromkeys(("deeppose", "resreg"), (50.0, 40.0)),
    "action": (80.0, 70.0),
    "parts": (65.0, 55.0),
}
"""The score that a shipped model should reach on SynthPose val, and the lowest that is shipped."""


@dataclass(frozen=True)
class Entry:
    """The measurements of a shipped model.

    million_macs       multiply-adds of one image
    images_per_second  see Timing
    scores             on SynthPose val; for pose models also by joint group
    """

    facts: WeightFacts
    parameters: int
    million_macs: float
    images_per_second: float
    scores: Mapping[str, Estimate]

    @property
    def name(self) -> str:
        """The architecture's name."""
        return self.facts.architecture


@dataclass(frozen=True)
class Timing:
    """How images/s were measured."""

    batch: int
    threads: int
    repeats: int
    cpu: str


def page(entries: Sequence[Entry], timing: Timing) -> str:
    """Write the page."""
    rows = [entry.facts for entry in entries]
    poses = [entry for entry in entries if entry.name in MODELS]
    tasks = [entry for entry in entries if entry.name in TASKS]
    missing = sorted({*MODELS, *TASKS} - {entry.name for entry in entries})
    columns = ("model", "parameters", "million MACs", "images/s", "score", "samples seen", "device, seconds")
    lines = [
        "# Model zoo",
        "",
        *wrap(
            "The models that come with the package, in their compact size of 128 x 128, trained on the training "
            "split of [SynthPose](synthpose.md). `python -m tools.write_zoo` writes this page and measures every "
            "number on it, except the samples and the time of a training."
        ),
        "",
        *wrap(
            f"Scores are in percent on SynthPose's validation set, n = {entries[0].scores[ALL].n:,}, with one "
            "crop per person and without a flip test. Brackets are 95% bootstrap intervals over people. "
            "Pose models are scored by [PCKh@0.5](scores.md) of the labelled joints in the crop, without pelvis "
            "and thorax, as MPII does. The action classifier is scored by accuracy, the part segmentation "
            "model by mean IoU (intersection over union)."
        ),
        "",
        *wrap(
            "MACs are multiply-adds of one image. Images/s is the speed of forward passes of "
            f"{timing.batch} images in float32 on {threads(timing.threads)} of {timing.cpu}, "
            f"the median of {timing.repeats} repeats in which the models take turns."
        ),
        "",
        *table(columns, [summary(entry, rows) for entry in [*poses, *tasks]]),
        "",
        *wrap(effort([entry.facts for entry in poses], rows)),
        "",
        "## By joint",
        "",
        "PCKh@0.5; left and right are averaged.",
        "",
        *table(("model", *GROUPS), [[e.name, *(interval(e.scores[group]) for group in GROUPS)] for e in poses]),
        "",
        "## Aims",
        "",
        "The aim is the score that a model should reach; the floor is the lowest score that is shipped.",
        "",
        *table(("model", "score", "aim", "floor", "reached", ""), [judged(entry) for entry in [*poses, *tasks]]),
        "",
        "## The same ten people",
        "",
        *wrap(
            "The first ten people of the validation set. A ring marks a joint that counts as wrong: it lies "
            "further than half a head size from the truth."
        ),
        "",
        "![The truth and each model's predictions for the same ten people](pictures/zoo.jpg)",
        "",
        "## Training",
        "",
        *wrap(watched([entry.facts for entry in entries])),
        "",
        "![Training curves](pictures/zoo_training.svg)",
        "",
        *(f"- `{command(facts, rows)}`" for facts in rows),
    ]
    if missing:
        lines += ["", f"Architectures without weights in the package: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def wrap(paragraph: str) -> list[str]:
    """Break a paragraph into lines."""
    return textwrap.wrap(paragraph, 130, break_long_words=False, break_on_hyphens=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a table's lines."""
    return [
        "| " + " | ".join(columns) + " |",
        "|---" * len(columns) + "|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def summary(entry: Entry, rows: Sequence[WeightFacts]) -> list[str]:
    """Write a model's row of the first table."""
    facts = entry.facts
    score = interval(entry.scores[ALL])
    return [
        entry.name,
        f"{entry.parameters:,}",
        f"{entry.million_macs:,.0f}",
        f"{entry.images_per_second:.0f}",
        score if entry.name in MODELS else f"{facts.metric} {score}",
        samples_seen(facts, rows),
        f"{facts.device}, {facts.seconds:,.0f}",
    ]


def watched(models: Sequence[WeightFacts]) -> str:
    """Describe the training curves."""
    words = "Scores on the first 200 people of the validation set during training."
    posed = [facts for facts in models if facts.metric.startswith("PCKh")]
    later = [facts.architecture for facts in posed if facts.data_fingerprint not in SAME_TRAINING_PEOPLE]
    if len(later) < len(posed):
        whose = f"The curves of PCKh@0.5 (except {', '.join(later)})" if later else "The curves of PCKh@0.5"
        words += (
            f" {whose} were drawn before head sizes were calibrated to MPII's. Their thresholds were too small by "
            "a factor of 1.254, so they end below the scores above. Use the scores above."
        )
    return words


def judged(entry: Entry) -> list[str]:
    """Compare a model's score with its aim and its floor."""
    scored = entry.scores[ALL]
    aim, floor = AIMS.get(entry.name, (float("nan"), float("nan")))
    if scored.value >= aim:
        verdict = "aim reached"
    elif scored.value >= floor:
        verdict = f"{aim - scored.value:.1f} below the aim"
    else:
        verdict = f"{floor - scored.value:.1f} below the floor" if floor == floor else "no aim was set"
    return [entry.name, entry.facts.metric, f"{aim:g}", f"{floor:g}", interval(scored), verdict]


def parent(facts: WeightFacts, rows: Sequence[WeightFacts]) -> WeightFacts | None:
    """Return the facts of the shipped weights that a model was initialised from, if any."""
    begun = facts.recipe.get("warm_start")
    return next((row for row in rows if begun and begun in (row.sha256, row.trained_sha256)), None)


def parent_name(facts: WeightFacts, rows: Sequence[WeightFacts]) -> str:
    """Name the weights that a model was initialised from: a shipped model or a hash; empty for none."""
    begun = str(facts.recipe.get("warm_start", ""))
    if (row := parent(facts, rows)) is not None:
        return row.architecture
    return f"weights of sha256 {begun[:12]}" if begun else ""


def samples_seen(facts: WeightFacts, rows: Sequence[WeightFacts]) -> str:
    """Write the number of samples that a model and the models it was initialised from saw."""
    words = f"{facts.samples:,}"
    if (row := parent(facts, rows)) is not None:
        return f"{words} + {row.architecture}'s {samples_seen(row, rows)}"
    return f"{words} + those of {name}" if (name := parent_name(facts, rows)) else words


def all_samples(facts: WeightFacts, rows: Sequence[WeightFacts]) -> int:
    """Count the samples of a model and of the shipped ones that it was initialised from."""
    row = parent(facts, rows)
    return facts.samples + (all_samples(row, rows) if row is not None else 0)


def effort(models: Sequence[WeightFacts], rows: Sequence[WeightFacts]) -> str:
    """Describe how the training of the models differs."""
    seen = {facts.architecture: all_samples(facts, rows) for facts in models}
    least, most = min(seen, key=lambda name: seen[name]), max(seen, key=lambda name: seen[name])
    ratio = seen[most] / seen[least]
    fewest, largest = f"{least} saw {seen[least]:,} samples", f"{most} {seen[most]:,}"
    sentences = [
        f"The training differs: {fewest}, {largest}, which is {ratio:.1f} times as many."
        if ratio > 1.1
        else f"The models saw about as many samples, {seen[least]:,} to {seen[most]:,}."
    ]
    begun = {facts.architecture: parent(facts, rows) for facts in models if facts.recipe.get("warm_start")}
    if known := [f"{name} from {row.architecture}" for name, row in begun.items() if row is not None]:
        sentences.append(
            f"This includes the samples of the models they were initialised from ({', '.join(known)})."
        )
    if unknown := [name for name, row in begun.items() if row is None]:
        sentences.append(
            f"{' and '.join(unknown)} {'was' if len(unknown) == 1 else 'were'} initialised from weights outside "
            "the package, whose samples are not counted."
        )
    ranges = [
        f"{word} ({min(values):,g} to {max(values):,g})"
        for word, values in (
            (word, [float(facts.recipe[word]) for facts in models]) for word in ("people", "batch", "lr")
        )
        if min(values) < max(values)
    ]
    if ranges:
        sentences.append(f"The recipes differ in {', '.join(ranges)}.")
    sentences.append("So a difference between two rows is due to design and training together.")
    return " ".join(sentences)


def command(facts: WeightFacts, rows: Sequence[WeightFacts]) -> str:
    """Return the command that trains a model again."""
    recipe = facts.recipe
    words = [f"--{word} {recipe[word]}" for word in ("people", "samples", "batch", "lr")]
    words += [
        f"--{word.replace('_', '-')} {recipe[word]}"
        for word in ("size", "half_body", "seed")
        if recipe.get(word, default := getattr(Recipe, word)) != default
    ]
    if name := parent_name(facts, rows):
        words.append(f"--warm-start {name if ' ' in name else name + '.safetensors'}")
    return f"robustpose train {facts.architecture} " + " ".join(words)


def interval(estimate: Estimate) -> str:
    """Write an estimate with its interval."""
    return f"{estimate.value:.1f} [{estimate.low:.1f}, {estimate.high:.1f}]"


def threads(count: int) -> str:
    """Write a number of threads."""
    return "one thread" if count == 1 else f"{count} threads"
