"""Visibility of attacks: differences between attacked and clean images over eps, for FGSM-U and IGSM-U-10.

Jain et al. (arXiv 1908.06401) ask people in the second version of their paper. Here images are compared by
metrics.perceptual (PSNR, SSIM, GMSD), and `robustpose userstudy` asks people. Budgets below one 8-bit level are
left out, because an 8-bit image cannot represent such a perturbation.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robustpose.analysis.evidence import Ask, Evidence, ModelAsk
from robustpose.findings.drawing import side_by_side
from robustpose.findings.finding import Chart, Curve, Finding, Found, Picture, Tabular, Verdict
from robustpose.findings.roc import average
from robustpose.findings.statistics import mean, verdict
from robustpose.findings.sweeps import EPS8, IGSM_U, Sweep, curve, heatmap_models, levels, slot_of
from robustpose.jobs.results import Pictures
from robustpose.jobs.setting import Setting
from robustpose.metrics import gmsd, psnr, ssim
from robustpose.metrics.perceptual import PEAK, Pixels
from robustpose.metrics.table import Floats
from robustpose.study.definition import View
from robustpose.study.plan import Plan

SHOWN = ("fgsm", "igsm")

MOST = 200
"""Maximum number of people whose images are compared; the numbers differ little between people."""

CLOSE = 0.9
"""The SSIM above which an image is said to have changed little: our bound, stated with the verdict."""


@dataclass(frozen=True)
class Measure:
    """A comparison of images that gives one number for each person."""

    name: str
    compare: Callable[[Pixels, Pixels], Floats]
    y_range: tuple[float, float] | None = None
    unit: str = ""

    @property
    def label(self) -> str:
        """The name with its unit."""
        return f"{self.name}, {self.unit}" if self.unit else self.name


MEASURES = (
    Measure("PSNR", psnr, unit="dB"),
    Measure("SSIM", ssim, y_range=(0.0, 1.0)),
    Measure("GMSD", gmsd),
)


def budgets(plan: Plan, attack: str) -> list[Setting]:
    """Return an attack at the grid's budgets of at least one 8-bit level."""
    return [setting for setting in Sweep(attack).over(plan) if setting.eps > 0 and setting.round_to_8bit]


def _asks(plan: Plan) -> list[Ask]:
    models = [model.name for model in plan.models]
    return [
        ModelAsk(model, _kept(setting))
        for model in models
        for attack in SHOWN
        for setting in budgets(plan, attack)
    ]


def _find(evidence: Evidence) -> Found:
    plan = evidence.plan
    remarks = _left_out(plan)
    if not budgets(plan, "igsm"):
        return Found(remarks=remarks)
    measured = {
        (model, setting): _measured(evidence.pictures(model, _kept(setting)))
        for model in evidence.models
        for attack in SHOWN
        for setting in budgets(plan, attack)
    }
    return Found(
        exhibits=(
            *(_chart(evidence, measure, measured) for measure in MEASURES),
            _table(evidence, measured),
            _strip(evidence),
        ),
        verdicts=_alike_enough(evidence, measured),
        remarks=(
            *remarks,
            *_stated(evidence, measured),
            *_equal(measured),
            f"Measured on the first {MOST} people at most. The paper's second version asks people instead; "
            "`robustpose userstudy` does that here.",
        ),
    )


Measured = Mapping[tuple[str, Setting], Mapping[str, Floats]]
"""Each measure's values (N,) over people, by model and setting."""


def _kept(setting: Setting) -> View:
    return View(setting, pictures=MOST)


def _measured(pictures: Pictures) -> dict[str, Floats]:
    return {each.name: each.compare(pictures.clean, pictures.adversarial) for each in MEASURES}


def _chart(evidence: Evidence, measure: Measure, measured: Measured) -> Chart:
    curves = [
        curve(
            f"{model}, {settings[0].label}",
            [average(measured[model, setting][measure.name]).estimate for setting in settings],
            levels(settings),
            slot=slot_of(evidence, model),
            dashed=attack == "fgsm",
        )
        for model in evidence.models
        for attack in SHOWN
        if (settings := budgets(evidence.plan, attack))
    ]
    if measure.name == "PSNR":
        curves.insert(0, _every_value(levels(budgets(evidence.plan, "igsm"))))
    return Chart(
        stem=f"perceptibility_{measure.name.lower()}",
        title=f"Difference between attacked and clean images: {measure.name}",
        x_label="eps, of 255",
        y_label=measure.label,
        curves=tuple(curves),
        y_range=measure.y_range,
    )


def _every_value(eps: Sequence[float]) -> Curve:
    """Draw the PSNR of an image with every value changed by eps, the lower bound of attacks of this size."""
    return Curve(
        name="every value moved by eps",
        x=tuple(eps),
        y=tuple(20.0 * math.log10(PEAK / level) for level in eps),
    )


def _table(evidence: Evidence, measured: Measured) -> Tabular:
    settings = [setting for attack in SHOWN for setting in budgets(evidence.plan, attack)]
    return Tabular(
        stem="perceptibility",
        title="Difference between attacked and clean images",
        columns=tuple(setting.title for setting in settings),
        rows=tuple(
            (
                f"{model}: {measure.label}",
                tuple(average(measured[model, setting][measure.name]).estimate for setting in settings),
            )
            for model in evidence.models
            for measure in MEASURES
        ),
        note="PSNR: higher is closer. SSIM: 1 is equal. GMSD: 0 is equal. Means over people.",
    )


def _strip(evidence: Evidence) -> Picture:
    """Show the model's input of one person at every budget of IGSM-U-10."""
    model = next(iter((*heatmap_models(evidence.plan), *evidence.models)))
    settings = budgets(evidence.plan, "igsm")
    shown = [evidence.pictures(model, _kept(setting)) for setting in settings]
    images = [shown[0].clean[0], *(each.adversarial[0] for each in shown)]
    eps = ", ".join(f"{level:g}" for level in levels(settings))
    return Picture(
        stem="perceptibility_strip",
        title=f"{settings[0].label} on {model}: the clean image, then eps {eps} of 255",
        image=side_by_side(images),
    )


def _alike_enough(evidence: Evidence, measured: Measured) -> tuple[Verdict, ...]:
    """Judge that attacked images at 8/255 are close to clean ones by SSIM; empty without 8/255 in the grid."""
    return tuple(
        verdict(
            f"{setting.title} changes pictures little: their SSIM is above {CLOSE:g}.",
            mean([average(measured[model, setting]["SSIM"]) for model in evidence.models]),
            above=CLOSE,
            paper="asks people in its second version; its numbers are not known here, and the bound is ours",
            measured=f"SSIM of attacked and clean pictures, mean over {', '.join(evidence.models)}; 1 is equal",
        )
        for attack in SHOWN
        for setting in budgets(evidence.plan, attack)
        if setting.eps == EPS8
    )


def _stated(evidence: Evidence, measured: Measured) -> list[str]:
    """State the mean of each measure at 8/255."""
    lines = []
    for attack in SHOWN:
        for setting in budgets(evidence.plan, attack):
            if setting.eps == EPS8:
                people = [measured[model, setting] for model in evidence.models]
                means = (_words(measure, [each[measure.name] for each in people]) for measure in MEASURES)
                lines.append(f"{setting.title}, mean over models: {'; '.join(means)}.")
    return lines


def _words(measure: Measure, values: Sequence[Floats]) -> str:
    estimate = mean([average(each) for each in values]).estimate
    value = f"{estimate.value:.3g} {measure.unit}".rstrip()
    return f"{measure.name} {value} (95% {estimate.low:.3g} to {estimate.high:.3g}, n = {estimate.n})"


def _left_out(plan: Plan) -> tuple[str, ...]:
    left_out = [setting for setting in IGSM_U.over(plan) if setting not in budgets(plan, "igsm")]
    if not left_out:
        return ()
    listed = ", ".join(setting.budget for setting in left_out)
    return (f"Left out: {listed}. An 8-bit image cannot represent a perturbation of less than one level.",)


def _equal(measured: Measured) -> list[str]:
    """Count the attacked images that equal the clean ones. Their PSNR is infinite and excluded from its mean."""
    return [
        f"{model}, {setting.title}: {equal} of {len(values['PSNR'])} images equal the clean ones and are "
        "excluded from the mean PSNR."
        for (model, setting), values in measured.items()
        if (equal := int(np.isposinf(values["PSNR"]).sum()))
    ]


PERCEPTIBILITY = Finding(title="How visible attacks are", asks=_asks, find=_find)
