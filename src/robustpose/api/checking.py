"""Tests model specs."""

from robustpose.api.opening import AnyData, AnyModel, AnySpec, load_data, open_for
from robustpose.given import whole_of
from robustpose.models.placed import placed
from robustpose.selfcheck import Checked
from robustpose.selfcheck import check_spec as _check_spec


def check_spec(
    model: AnyModel, data: AnyData = "synthpose", *, spec: AnySpec = None, n: int = 50, device: str | None = None
) -> Checked:
    """Test a model spec for common mistakes, on labelled people: `.mends` lists the corrections.

    device  'cpu', 'cuda', 'cuda:1' or 'mps', where the model is moved for the test; default: where it is
    """
    people = load_data(data, n=whole_of(n, "n", least=2))
    opened = open_for(model, spec=spec, people=people)
    with placed(opened.module, device):
        return _check_spec(opened, people, n=n)


def check_card(model: AnyModel, data: AnyData = "synthpose", *, card: AnySpec = None, n: int = 50) -> Checked:
    """Call check_spec; this is its older name."""
    return check_spec(model, data, spec=card, n=n)
