"""Models: the shape of their scores, and the layers of the articles' networks."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from capbench.errors import Mistake
from capbench.models import Model, PerCharacter
from capbench.models.articles import DigitMember, PlainResNet, WholeImage
from capbench.models.blocks import folded
from capbench.models.committee import Committee
from capbench.models.ensemble import Ensemble
from capbench.models.mlp import MLP
from capbench.models.resnet import Timm
from capbench.settings import build, conf_dir
from tests.helpers.rounding import apart
from tests.helpers.settings import composed

NAMES = sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml") if path.stem != "auto")


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def made(name: str, shape: tuple[int, int, int], positions: int, classes: int) -> Model:
    return build(composed(f"model={name}")["model"], shape, positions, classes)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_every_model_gives_scores_of_one_shape(name: str, channels: int) -> None:
    model = made(name, (channels, 32, 96), 5, 11).eval()
    scores = model(torch.rand(2, channels, 32, 96))
    assert scores.shape[0] == 2
    assert scores.shape[2] == 11
    assert scores.shape[1] == 5 if model.over == "positions" else scores.shape[1] >= 9


@pytest.mark.parametrize("name", NAMES)
def test_a_folded_model_gives_the_same_scores_and_leaves_the_model_as_it_is(name: str) -> None:
    torch.manual_seed(1)
    model = made(name, (1, 32, 96), 4, 10)
    for norm in [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]:
        for numbers in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            assert numbers is not None
            nn.init.uniform_(numbers, 0.5, 1.5)
    views = torch.rand(3, 1, 32, 96)
    with torch.no_grad():
        scores = model.eval()(views)
        assert apart(folded(model)(views), scores) < 1e-4
        assert torch.equal(model(views), scores)


def test_a_folded_model_has_no_batch_normalisation_and_shares_all_other_weights() -> None:
    model = made("cnn", (1, 32, 96), 4, 10).eval()
    light = folded(model)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in light.modules())
    own, shared = dict(model.named_parameters()), dict(light.named_parameters())
    assert all(shared[name] is own[name] for name in own if name.startswith("head"))
    assert any(name.startswith("head") for name in own)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("crnn", "universal")])
def test_every_model_reads_cut_characters(name: str) -> None:
    model = PerCharacter(made(name, (1, 24, 16) if "article" not in name else (1, 40, 40), 1, 36)).eval()
    height, width = (24, 16) if "article" not in name else (40, 40)
    assert model(torch.rand(2, 5, 1, height, width)).shape == (2, 5, 36)


def test_a_member_of_the_per_digit_ensemble_has_619370_parameters() -> None:
    member = DigitMember((1, 40, 120), 1, 10)
    assert (
        parameters(member) + 2 * sum(b.num_features for b in member.modules() if isinstance(b, nn.BatchNorm2d))
        == 619_370
    )
    assert parameters(member) == 618_410  # the trainable parameters in the article
    assert member.head.linear.in_features == 3584


@pytest.mark.parametrize(("network", "shape"), [(DigitMember, (1, 40, 120)), (WholeImage, (1, 60, 160))])
def test_networks_of_keras_articles_are_initialised_like_keras(
    network: type[Model], shape: tuple[int, int, int]
) -> None:
    layers = [layer for layer in network(shape, 4, 10).modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) > 5
    for layer in layers:
        outputs, inputs, *kernel = layer.weight.shape
        furthest = (6 / ((inputs + outputs) * math.prod(kernel))) ** 0.5
        assert layer.weight.detach().abs().max().item() == pytest.approx(furthest, rel=0.05)
        assert layer.bias is not None and not layer.bias.any()


def test_batch_norms_of_keras_articles_average_like_keras() -> None:
    views = torch.rand(8, 1, 40, 120)
    member = DigitMember((1, 40, 120), 1, 10)
    norm = next(layer for layer in member.modules() if isinstance(layer, nn.BatchNorm2d))
    seen: list[torch.Tensor] = []
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    member.train()(views)
    assert norm.running_mean is not None
    assert apart(norm.running_mean, 0.01 * seen[0].mean((0, 2, 3))) < 1e-5
    assert norm.eps == 1e-3


def test_the_heads_on_one_trunk_share_all_but_their_last_layer() -> None:
    member, trunk = DigitMember((1, 40, 120), 1, 10), made("trunk_article", (1, 40, 120), 6, 10)
    assert parameters(trunk) - parameters(member) == 5 * 10 * (3584 + 1)
    assert trunk(torch.rand(2, 1, 40, 120)).shape == (2, 6, 10)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def without_dropout(model: Ensemble) -> Ensemble:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def precise(name: str) -> Ensemble:
    """Return an ensemble in float64: in float32, rounding may change the side of a ReLU or the place of a maximum."""
    torch.manual_seed(1)
    ensemble = made(name, (1, 32, 48), 3, 10).double()
    assert isinstance(ensemble, Ensemble)
    return ensemble


def assert_learned_alike(one: Ensemble, other: Ensemble) -> None:
    """Check that two ensembles have the same gradients and running means."""
    assert all(weight.grad is not None and weight.grad.any() for weight in one.parameters())
    gradients = [
        parameters_to_vector(weight.grad for weight in each.parameters() if weight.grad is not None)
        for each in (other, one)
    ]
    assert apart(*gradients) < 1e-9
    for found, expected in zip(other.buffers(), one.buffers(), strict=True):
        assert apart(found, expected) < 1e-9


@pytest.mark.parametrize("name", ["ensemble", "ensemble_article"])
def test_stacked_members_equal_members_in_turn(name: str) -> None:
    """Compare scores, gradients and running means, in training and in evaluation."""
    in_turn = without_dropout(precise(name))
    stacked = copy.deepcopy(in_turn)
    views, weights = torch.rand(4, 1, 32, 48).double(), torch.rand(4, 3, 10).double()
    scores = in_turn.in_turn(views), stacked.stacked(views)
    assert apart(*scores) < 1e-9
    for given in scores:
        (given * weights).sum().backward()
    assert_learned_alike(in_turn, stacked)
    assert apart(stacked.eval().stacked(views), in_turn.eval().in_turn(views)) < 1e-9


@pytest.mark.parametrize("name", ["ensemble", "ensemble_article"])
def test_members_trained_side_by_side_equal_members_in_turn(name: str, two_threads: None) -> None:
    """Compare scores, gradients and running means under the same dropout."""
    one = precise(name)
    other, again = copy.deepcopy(one), copy.deepcopy(one)
    views, weights = torch.rand(4, 1, 32, 48).double(), torch.rand(4, 3, 10).double()
    with mock.patch.object(Ensemble, "side_by_side", Ensemble.in_turn):
        torch.manual_seed(2)
        in_turn = one(views)
    scores = []
    for ensemble in (other, again):
        torch.manual_seed(2)
        scores.append(ensemble(views))
        (scores[-1] * weights).sum().backward()
    (in_turn * weights).sum().backward()
    assert torch.equal(*scores)
    assert apart(scores[0], in_turn) < 1e-9
    assert_learned_alike(one, other)
    assert torch.get_num_threads() == 2
    assert not torch.equal(other(views), scores[0])  # dropout is drawn anew


def test_ensemble_members_differ_in_weights_and_dropout() -> None:
    ensemble = made("ensemble_article", (1, 32, 96), 3, 10)
    assert isinstance(ensemble, Ensemble)
    first, second, _ = (member.state_dict() for member in ensemble.members)
    assert all((first[key] != second[key]).any() for key in first if key.endswith("weight") and first[key].ndim > 1)
    for member in ensemble.members:
        member.load_state_dict(first)
    scores = ensemble.stacked(torch.rand(4, 1, 32, 96))
    assert not torch.allclose(scores[:, 0], scores[:, 1])  # each member has its own dropout


def test_a_committee_averages_probabilities_and_trains_every_member() -> None:
    committee = made("committee", (1, 32, 96), 4, 10)
    assert isinstance(committee, Committee)
    views, targets = torch.rand(4, 1, 32, 96), torch.randint(10, (16,))
    nn.functional.cross_entropy(committee(views).flatten(0, 1), targets).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in committee.parameters())
    committee.eval()
    beliefs = [member(views).softmax(-1) for member in committee.members]
    assert apart(committee(views).exp(), sum(beliefs) / 3) < 1e-5
    assert not torch.allclose(beliefs[0], beliefs[1])


@pytest.mark.parametrize(("member", "name"), [("crnn", "CRNN"), ("knn", "KNN")])
def test_a_committee_of_crnn_or_knn_is_refused(member: str, name: str) -> None:
    settings = composed("model=committee")["model"] | {
        "member": composed(f"model={member}")["model"] | {"_partial_": True}
    }
    with pytest.raises(Mistake, match=rf"model\.member: {name} .*choose a member"):
        build(settings, (1, 32, 96), 4, 10)


def test_the_whole_image_network_has_the_layers_of_its_article() -> None:
    network = WholeImage((1, 60, 160), 4, 10)
    sizes = [
        (m.in_channels, m.out_channels, m.kernel_size, m.padding) for m in network.modules() if isinstance(m, nn.Conv2d)
    ]
    assert sizes == [(1, 32, (3, 3), (0, 0)), (32, 64, (3, 3), (0, 0)), (64, 64, (3, 3), (0, 0))]
    dense = [(m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)]
    assert dense == [(64 * 5 * 18, 4096), (4096, 2048), (2048, 40)]


def test_the_resnet_of_the_article_has_about_40_megabytes() -> None:
    network = PlainResNet((3, 60, 160), 4, 62)
    assert sum(isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) for m in network.modules()) == 17
    assert 40e6 < 4 * parameters(network) < 46e6


def test_the_perceptron_of_the_ocr_article_has_its_two_layers() -> None:
    settings = composed("model=mlp_article")["model"]
    layers = [
        m
        for m in MLP((1, 24, 16), 1, 36, **{k: v for k, v in settings.items() if k != "_target_"}).modules()
        if isinstance(m, nn.Linear)
    ]
    assert [(m.in_features, m.out_features) for m in layers] == [(384, 100), (100, 36)]


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenetv3_small_050", "vit_tiny_patch16_224", "convnext_atto"])
def test_timm_backbones_of_every_family_give_scores(backbone: str) -> None:
    model = Timm(
        (1, 48, 96), 4, 10, backbone=backbone, widths=None, stem_stride=None, pool="columns", dropout=0.0
    ).eval()
    assert model(torch.rand(2, 1, 48, 96)).shape == (2, 4, 10)


def test_an_unknown_backbone_is_refused_with_a_similar_name() -> None:
    with pytest.raises(Mistake, match=r"model\.backbone: resnet81 is unknown to timm; did you mean .*resnet"):
        Timm((1, 32, 64), 4, 10, backbone="resnet81", widths=None, stem_stride=None, pool="flat", dropout=0.0)


def test_widths_or_stride_of_a_backbone_without_them_are_refused() -> None:
    with pytest.raises(Mistake, match="model.widths: convnext_atto does not accept it, only ResNets do"):
        Timm(
            (1, 32, 64),
            4,
            10,
            backbone="convnext_atto",
            widths=[8, 8, 8, 8],
            stem_stride=None,
            pool="flat",
            dropout=0.0,
        )
    with pytest.raises(Mistake, match="model.stem_stride"):
        Timm((1, 32, 64), 4, 10, backbone="convnext_atto", widths=None, stem_stride=1, pool="flat", dropout=0.0)


def test_models_do_not_import_lightning_or_hydra() -> None:
    folder = Path(__file__).parents[3] / "src" / "capbench" / "models"
    for path in folder.glob("*.py"):
        text = path.read_text()
        assert "lightning" not in text.replace("They know no Lightning", "")
        assert "import hydra" not in text


@pytest.mark.parametrize("network", [WholeImage, DigitMember])
def test_a_view_too_small_for_a_network_is_refused_by_view_size(network: type[Model]) -> None:
    with pytest.raises(Mistake, match=r"^view\.size: 4×6 pixels are too few for this model; make the view larger$"):
        network((1, 4, 6), 4, 10)


def test_a_network_over_time_seldom_says_blank_at_first() -> None:
    scores = made("crnn", (1, 32, 96), 5, 11).eval()(torch.rand(8, 1, 32, 96))
    assert scores.softmax(-1)[..., -1].max() < 0.05
