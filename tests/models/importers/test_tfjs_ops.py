"""Every operator of TF.js graph models against TF.js, on files of one or two operators made here."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from robustpose.models.importers.graph import PlannedGraph
from robustpose.models.importers.tfjs.files import read_files
from robustpose.models.importers.tfjs.graph import read_graph
from robustpose.models.importers.tfjs.ops import OPERATORS
from tests.models.importers.tfjs_cases import CASES, PEOPLE, PICTURE, ask_tfjs, digest, files_of, golden
from tests.models.importers.tfjs_files import tfjs_or_skip, write

ANSWERS, DIGESTS = golden()


@pytest.fixture
def graph(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PlannedGraph:
    model = write(tmp_path_factory.mktemp("tfjs"), files_of(request.param))
    return read_graph(read_files(model), PICTURE)


every_case = pytest.mark.parametrize("graph", CASES, indirect=True)


def pictures(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.from_numpy(PEOPLE).to(dtype)


def test_every_operator_is_tried() -> None:
    assert {op.op for ops in CASES.values() for op in ops} == set(OPERATORS)


def test_the_stored_answers_are_to_these_files() -> None:
    assert {case: digest(case) for case in CASES} == DIGESTS, "run python -m tests.models.importers.tfjs_cases"


def test_tfjs_still_answers_so() -> None:
    answers = ask_tfjs(tfjs_or_skip())
    assert answers.keys() == ANSWERS.keys()
    for case, answer in answers.items():
        np.testing.assert_allclose(answer, ANSWERS[case], atol=1e-6, rtol=1e-6, err_msg=case)


@pytest.mark.parametrize(("graph", "case"), [(case, case) for case in CASES], indirect=["graph"])
def test_agrees_with_tfjs_for_one_person_and_for_two(graph: PlannedGraph, case: str) -> None:
    (together,) = graph(pictures())
    np.testing.assert_allclose(together.numpy(), ANSWERS[case], atol=2e-5, rtol=2e-5)
    apart = torch.cat([graph(one)[0] for one in torch.split(pictures(), 1)])
    np.testing.assert_allclose(apart.numpy(), ANSWERS[case], atol=2e-5, rtol=2e-5)


@every_case
def test_gradient_is_right(graph: PlannedGraph) -> None:
    assert gradcheck(graph.double(), pictures(torch.float64).requires_grad_(), fast_mode=True)
