"""Training: learning, schedules, optimizers, starting runs, poses, and the run's folder."""

from __future__ import annotations

import copy
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm.optim
import torch
from safetensors.torch import load_file
from torch import nn

from capbench.data.loading import Views
from capbench.data.material import Request
from capbench.errors import Mistake
from capbench.inference.reader import Reader
from capbench.runs import RunFolder
from capbench.settings import build
from capbench.train import experiment
from capbench.train.callbacks import Checkpoints
from capbench.train.muon import Muon
from capbench.train.optim import Optim
from capbench.train.recognizer import Recognizer
from capbench.train.trainer import TrainerSettings
from tests.helpers.protocols import Train
from tests.helpers.rounding import apart
from tests.helpers.settings import FAST, composed
from tests.helpers.tables import read_csv

QUIET = ("logger=none", "trainer.progress=false")


def optim(**changes: Any) -> Optim:
    return build(composed()["optim"] | changes)


def test_a_recogniser_overfits_a_few_images(train: Train) -> None:
    result = train("debug=overfit", *QUIET).read_result()
    assert result["train/exact"] > 0.9
    assert result["train/loss"] < 0.2


def test_knn_reads_every_image_that_it_was_shown(train: Train, labelled: Path) -> None:
    """Test on copies of the training images, each of which is its own nearest neighbour."""
    lines = (labelled / "labels.csv").read_text().splitlines()[1:41]
    both = [f"{line.rsplit(',', 1)[0]},train" for line in lines[:20]]
    folder = labelled.parent / "same"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for line in lines[:20]:
        name, label, _ = line.split(",")
        content = (labelled / name).read_bytes()
        (folder / name).write_bytes(content)
        (folder / name.replace("images/", "images/again_")).write_bytes(content)
        both.append(f"{name.replace('images/', 'images/again_')},{label},{'val' if len(both) < 25 else 'test'}")
    (folder / "labels.csv").write_text("filename,label,split\n" + "\n".join(both) + "\n")
    for view in ("characters", "whole"):
        result = train(
            "model=knn",
            "model.k=1",
            f"view={view}",
            "data=csv",
            f"data.root={folder}",
            "data.split_column=split",
            *QUIET,
            at=view,
        ).read_result()
        assert result["test/exact"] == 1
        assert result["val/exact"] == 1


@pytest.mark.parametrize(("shown", "steps", "images"), [("320", 5, 320), ("null", 1, 20)])
def test_the_progress_bar_counts_the_images_shown(
    train: Train, capfd: pytest.CaptureFixture[str], shown: str, steps: int, images: int
) -> None:
    run = train("data.split={train:20,val:8,test:8}", f"optim.epoch_images={shown}", "optim.epochs=1", "logger=none")
    assert re.search(rf"training: 100%\|█+\| {images}(\.0)?/{images}(\.0)? \[", capfd.readouterr().err)
    assert run.read_result()["train/images"] == images
    assert [int(row["step"]) for row in read_csv(run.path / "metrics.csv")] == [steps]


def test_an_epoch_of_a_labelled_folder_has_some_thousand_images(labelled: Path) -> None:
    def shown(*overrides: str) -> int | None:
        return experiment.prepare(composed(*overrides, *QUIET)).data.epoch_images

    of_folder = ("data=csv", f"data.root={labelled}")
    assert shown(*of_folder) == 8000
    assert shown(*of_folder, "optim.epoch_images=null") is None
    assert shown(*of_folder, "optim.epoch_images=20") == 20
    assert shown(*of_folder, "model=knn", "view=characters") is None
    assert shown("data.split={train:20,val:8,test:8}") is None


def test_training_stops_after_patience_epochs_without_progress(train: Train) -> None:
    result = train("debug=fast", "optim.epochs=6", "optim.lr=1e-12", "trainer.patience=2", *QUIET).read_result()
    assert result["train/epochs"] == 3


def test_training_in_mixed_precision_ends_well(train: Train) -> None:
    result = train(*FAST, "trainer.precision=bf16-mixed").read_result()
    assert "test/exact" in result
    assert result["train/precision"] == "bf16-mixed"


@pytest.mark.parametrize(("supported", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_automatic_precision_is_what_the_processor_multiplies(
    monkeypatch: pytest.MonkeyPatch, supported: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    settings: TrainerSettings = build(composed("trainer.precision=auto")["trainer"])
    assert settings.used_precision == expected


@pytest.mark.slow
def test_compiled_networks_keep_the_names_of_their_weights(train: Train) -> None:
    plain, compiled = (train(*FAST, f"trainer.compile={c}", at=c) for c in ("false", "true"))
    assert load_file(plain.weights).keys() == load_file(compiled.weights).keys()


def test_the_folder_of_a_run_rebuilds_its_recogniser(train: Train) -> None:
    folder: RunFolder = train("debug=fast", "optim.epochs=2", "optim.ema=0.5", "trainer.limit_batches=null", *QUIET)
    again = experiment.prepare(folder.settings())
    again.recognizer.model.load_state_dict(load_file(folder.weights))
    again.recognizer.eval()
    part = again.material.parts["test"]
    views = torch.from_numpy(np.moveaxis(np.array(part.views[part.places]), -1, -3))
    with torch.no_grad():
        best = again.recognizer(views).argmax(-1).numpy()
    rows = read_csv(folder.predictions)
    assert [row["answer"] for row in rows] == again.codec.texts(best)
    assert [row["text"] for row in rows] == part.texts
    assert again.material.hash == folder.read_result()["data/hash"]


def test_a_slow_average_of_the_weights_does_not_stay_at_the_start(train: Train) -> None:
    def weights(*overrides: str) -> torch.Tensor:
        folder = train("debug=fast", "trainer.limit_batches=null", *QUIET, *overrides, at="-".join(overrides))
        return torch.cat([tensor.float().flatten() for tensor in load_file(folder.weights).values()])

    start, plain, averaged = weights("optim.lr=1e-9"), weights("optim.ema=0"), weights("optim.ema=0.9999")
    assert 0 < (averaged - plain).norm() < 0.5 * (start - plain).norm()


def test_result_json_is_flat_and_holds_metrics_and_provenance(train: Train) -> None:
    folder = train(*FAST, "group=study", "tags=[a]")
    result = json.loads(folder.result.read_text())
    assert all(not isinstance(value, dict) for value in result.values())
    for key in (
        "test/exact",
        "test/exact_nocase",
        "test/char",
        "test/cer",
        "test/ece",
        "test/position_4",
        "test/confused",
    ):
        assert key in result
        assert key.replace("test/", "val/") in result
    low, high = result["test/exact_ci"]
    assert low <= result["test/exact"] <= high
    assert result["group"] == "study"
    assert result["seed"] == 1
    assert result["version/torch"] == torch.__version__.partition("+")[0]
    assert len(result["data/hash"]) == 64
    assert result["params"] == sum(
        p.numel() for p in load_file(folder.weights).values() if p.dtype == torch.float32
    ) - sum(p.numel() for name, p in load_file(folder.weights).items() if "running" in name)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.25, 0.5])
def test_learning_rates_stay_in_range_however_few_the_steps(schedule: str, warmup: float) -> None:
    settings = optim(schedule=schedule, warmup=warmup)
    for steps in range(1, 13):
        optimizer = settings.optimizer(nn.Linear(2, 2))
        scheduler = settings.scheduler(optimizer, steps)
        rates = [optimizer.param_groups[0]["lr"]]
        for _ in range(steps - 1):
            optimizer.step()
            scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
        assert all(0 <= rate <= settings.lr * 1.000001 for rate in rates), (steps, rates)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
def test_the_learning_rate_rises_and_falls(schedule: str) -> None:
    settings = optim(schedule=schedule, lr=0.1, warmup=0.25)
    optimizer = settings.optimizer(nn.Linear(2, 2))
    scheduler = settings.scheduler(optimizer, 100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if len(rates) < 100 else None
    assert 20 <= int(np.argmax(rates)) <= 26
    assert max(rates) == pytest.approx(0.1, rel=0.02)
    assert rates[0] < 0.02
    assert rates[-1] < 0.001


def momenta(steps: int = 12, **changes: Any) -> list[float]:
    """Return the momentum of each step, or beta 1 of optimizers without a momentum."""
    settings = optim(schedule="one_cycle", **changes)
    optimizer = settings.optimizer(nn.Linear(2, 2))
    scheduler = settings.scheduler(optimizer, steps)
    group = optimizer.param_groups[0]
    found = []
    for _ in range(steps):
        found.append(group["momentum"] if "momentum" in group else group["betas"][0])
        optimizer.step()
        scheduler.step() if len(found) < steps else None
    return found


@pytest.mark.parametrize("kind", ["sgd", "muon"])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.99])
def test_a_given_momentum_is_used_at_every_step(kind: str, momentum: float) -> None:
    assert momenta(kind=kind, momentum=momentum) == [momentum] * 12


@pytest.mark.parametrize("kind", ["adamw", "adam", "sgd"])
def test_one_cycle_cycles_momentum_where_none_is_given(kind: str) -> None:
    found = momenta(kind=kind)
    assert (found[0], min(found), found[-1]) == pytest.approx((0.95, 0.85, 0.95))


def test_muon_uses_its_own_momentum_where_none_is_given() -> None:
    assert momenta(kind="muon") == [0.95] * 12


@pytest.mark.parametrize("kind", ["adamw", "adam", "adadelta"])
def test_momentum_of_an_optimizer_without_one_is_refused(kind: str) -> None:
    with pytest.raises(
        Mistake, match=rf"^optim\.momentum: {kind} does not accept momentum; set optim\.momentum=null, or optim=sgd or"
    ):
        optim(kind=kind, momentum=0.9)


@pytest.mark.parametrize("kind", ["adamw", "adam", "adadelta", "sgd", "muon"])
def test_weight_decay_applies_only_to_matrices(kind: str) -> None:
    settings = optim(kind=kind, weight_decay=0.5)
    optimizer = settings.optimizer(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
    settings.scheduler(optimizer, 10)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.0]
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 3]


def test_adadelta_steps_like_keras() -> None:
    network = nn.Linear(1, 1)
    before = network.weight.item()
    optimizer = optim(kind="adadelta", lr=1.0, weight_decay=0.0).optimizer(network)
    network(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    # The squared gradient has the weight 0.05, and the mean of squared steps is the epsilon alone.
    assert before - network.weight.item() == pytest.approx((1e-7 / (0.05 + 1e-7)) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 2, 3, 3)])
def test_muon_steps_are_nearly_orthogonal(shape: tuple[int, ...]) -> None:
    weights, bias = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.ones(3))
    optimizer = Muon([{"params": [weights, bias]}], lr=0.5, weight_decay=0.0)
    generator = torch.Generator().manual_seed(1)
    weights.grad = torch.randn(shape, generator=generator)
    bias.grad = torch.tensor([3.0, -0.01, 0.0])
    optimizer.step()
    step = (1 - weights.detach()).flatten(1)
    lengths = torch.linalg.svdvals(step) / (0.5 * 0.2 * max(step.shape) ** 0.5)
    assert all(0.6 < length < 1.25 for length in lengths.tolist())
    assert (1 - bias.detach()).tolist() == pytest.approx([0.5, -0.5, 0.0], rel=1e-5)  # as the first step of Adam


def test_muon_agrees_with_muon_of_timm_and_adamw_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare layers that mix channels with timm's Muon, and the others with torch's AdamW."""
    precisely = partial(timm.optim.muon.zeropower_via_newtonschulz, dtype=torch.float32)  # timm computes in bfloat16
    monkeypatch.setattr(timm.optim.muon, "zeropower_via_newtonschulz", precisely)
    mixing = nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.Flatten(), nn.Linear(16, 6, bias=False))
    not_mixing = nn.Sequential(nn.Conv2d(2, 2, 3, groups=2, bias=False), nn.BatchNorm2d(2))
    often: dict[str, Any] = {"lr": 0.01, "weight_decay": 0.1}
    theirs: list[tuple[nn.Module, Any]] = [
        (mixing, partial(timm.optim.Muon, nesterov=True, ns_coefficients="original", **often)),
        (not_mixing, partial(torch.optim.AdamW, betas=(0.9, 0.95), **often)),
    ]
    for network, library in theirs:
        known = copy.deepcopy(network)
        optimizers = Muon([{"params": list(network.parameters())}], **often), library(known.parameters())
        for number in range(10):
            images = torch.randn(8, 2, 4, 4, generator=torch.Generator().manual_seed(number))
            for one, optimizer in zip((network, known), optimizers, strict=True):
                optimizer.zero_grad()
                one(images).sigmoid().square().mean().backward()
                optimizer.step()
        for mine, yours in zip(network.parameters(), known.parameters(), strict=True):
            assert apart(mine, yours) < 1e-4, network


def test_start_takes_the_weights_of_another_run(trained: Path) -> None:
    first = RunFolder(trained)
    begun = experiment.prepare(composed(*FAST, f"start={first.path}", "seed=7")).recognizer.model.state_dict()
    learned = load_file(first.weights)
    assert begun.keys() == learned.keys()
    assert all(torch.equal(begun[name], learned[name]) for name in learned)


def test_start_chooses_the_rows_of_the_classifier_by_symbol(train: Train) -> None:
    both = ("model=crnn", "alphabet.symbols=03aA7bB", *FAST)
    first = train(*both, "optim.epochs=1", at="first")
    learned = load_file(first.weights)
    settings = composed(
        *both, "alphabet.symbols=b70a", "alphabet.fold=lower", "data.length=[3,5]", f"start={first.path}"
    )
    begun = experiment.prepare(settings).recognizer.model.state_dict()
    assert begun.keys() == learned.keys()
    for name, tensor in learned.items():
        if not name.startswith("linear."):
            assert torch.equal(begun[name], tensor)
            continue
        zero, _, lower_a, upper_a, seven, lower_b, upper_b, blank = tensor
        expected = [(lower_b + upper_b) / 2, seven, zero, (lower_a + upper_a) / 2, blank]
        assert apart(begun[name], torch.stack(expected)) < 1e-6


def test_a_run_with_a_score_for_each_position_starts_no_run_of_another_alphabet(train: Train) -> None:
    first = train(*FAST, "model.pool=flat", at="flat")
    with pytest.raises(Mistake, match="scores all positions at once"):
        experiment.prepare(composed(*FAST, "model.pool=flat", "alphabet.symbols=0123", f"start={first.path}"))


def test_a_committee_of_runs_averages_their_probabilities(train: Train) -> None:
    small = "{stem:[8],widths:[8],strides:[2],pool:columns}"
    runs = [train(*FAST, "model.pool=columns", f"model={small}", f"seed={seed}", at=f"{seed}") for seed in (1, 2)]
    made_of = f"start=[{','.join(str(run.path) for run in runs)}]"
    together = train(
        *FAST, "model=committee", "model.size=2", f"model.member={small}", made_of, "optim.epochs=0", at="together"
    )
    result = together.read_result()
    assert (result["train/images"], result["train/epochs"]) == (0, 0)
    assert result["params"] == sum(run.read_result()["params"] for run in runs)
    assert 0 <= result["val/exact"] <= 1
    assert not (together.pictures / "curves.png").exists()

    readers = [Reader.of(run) for run in (*runs, together)]
    views = torch.rand(4, *readers[0].shape)
    with torch.no_grad():
        first, second, mean = (reader.model(views).softmax(-1) for reader in readers)
    assert not torch.allclose(first, second)
    assert apart(mean, (first + second) / 2) < 1e-4


def test_zero_epochs_test_the_run_given_by_start(train: Train, trained: Path) -> None:
    first = RunFolder(trained)
    again = train(*FAST, f"start={first.path}", "optim.epochs=0", "optim.ema=0.9")
    assert load_file(first.weights).keys() == load_file(again.weights).keys()
    assert first.read_predictions() == again.read_predictions()
    with pytest.raises(Mistake, match=r"optim\.epochs: 0 trains nothing"):
        experiment.prepare(composed(*FAST, "optim.epochs=0"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([], "choose model=committee, or give one run"),
        (["model=committee"], r"names 2 runs for 3 members; set model\.size=2"),
        (["model=committee", "model.size=2", "model.member.widths=[8,8]"], "has another model"),
    ],
)
def test_a_committee_of_runs_that_do_not_fit_is_refused(trained: Path, changes: list[str], reason: str) -> None:
    with pytest.raises(Mistake, match=f"start: .*{reason}"):
        experiment.prepare(composed(*FAST, *changes, f"start=[{trained},{trained}]"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            ["alphabet=lower_36"],
            "reads '0123456789' and not 'abcdefghijklmnopqrstuvwxyz'; choose an alphabet within it",
        ),
        (["model.widths=[8,8]"], "has another model, view or data.length"),
        (["model=knn"], "a gradient-free model cannot start from another run"),
    ],
)
def test_start_with_a_run_that_does_not_fit_is_refused(trained: Path, changes: list[str], reason: str) -> None:
    with pytest.raises(Mistake, match=f"start: .*{reason}"):
        experiment.prepare(composed(*FAST, *changes, f"start={trained}"))


def test_training_without_validation_keeps_the_last_epoch(train: Train, labelled: Path) -> None:
    folder = train(
        "data=csv", f"data.root={labelled}", "data.split.val=null", "optim.epochs=2", "optim.epoch_images=null", *QUIET
    )
    result = folder.read_result()
    assert "val/exact" not in result
    assert result["best/epoch"] == 2
    assert result["test/images"] > 0


POSED = ("optim.poses=1", "data.split={train:64,val:16,test:16}", *QUIET)


@pytest.mark.parametrize("fresh", ["true", "false"])
def test_the_pose_loss_falls_in_training(fresh: str) -> None:
    it = experiment.prepare(composed(*POSED, f"data.fresh={fresh}"))
    batch = Views(it.material.parts["train"], it.codec, None, 1)[Request(0, np.arange(32))]
    assert batch.poses.shape == (32, 4, 7)
    learner = torch.optim.Adam(it.recognizer.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        _, seen = it.recognizer.model.with_seen(it.recognizer._as_model_takes(batch.views))
        assert it.recognizer.pose_head is not None
        losses.append(it.recognizer.pose_loss(it.recognizer.pose_head(seen), batch.poses))
        whole = it.recognizer.training_step(batch, 0)
        assert whole is not None
        assert whole > losses[-1]
        learner.zero_grad()
        whole.backward()
        learner.step()
    assert 0.7 < losses[0] < 2
    assert losses[-1] < 0.5


def test_the_pose_head_is_not_saved_with_the_recogniser(train: Train) -> None:
    plain, posed = (train(*FAST, f"optim.poses={weight}", "model=resnet", at=str(weight)) for weight in (0, 0.5))
    assert load_file(plain.weights).keys() == load_file(posed.weights).keys()
    assert plain.read_result()["params"] == posed.read_result()["params"]
    assert plain.read_result()["train/loss"] != posed.read_result()["train/loss"]


def test_the_pose_loss_ignores_positions_after_the_text() -> None:
    poses = torch.tensor([[[1.0, 3.0], [float("nan")] * 2]])
    assert Recognizer.pose_loss(torch.tensor([[[0.0, 1.0], [9.0, 9.0]]]), poses) == 2.5


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (["data.renderer=captcha"], "only CapBench's renderer tells how characters were drawn"),
        (["model.pool=flat"], "this model does not look at each character"),
        (["view=characters"], "this model does not look at each character"),
        (["model=crnn"], "this model does not look at each character"),
        (["trainer.compile=true"], "is not compiled"),
    ],
)
def test_poses_with_unsuitable_settings_are_refused(changes: list[str], reason: str) -> None:
    with pytest.raises(Mistake, match=f"optim.poses: {reason}"):
        experiment.prepare(composed(*POSED, *changes))


def test_poses_of_real_captchas_are_refused(labelled: Path) -> None:
    with pytest.raises(Mistake, match=r"optim.poses: only CapBench's renderer tells"):
        experiment.prepare(composed("data=csv", f"data.root={labelled}", "optim.poses=1"))


@pytest.mark.parametrize("split", ["parts", "folds"])
def test_with_ema_the_best_epoch_is_measured_and_kept(
    split: str, train: Train, monkeypatch: pytest.MonkeyPatch, labelled: Path
) -> None:
    whole = Checkpoints.on_train_epoch_end

    def the_first_is_best(checkpoints: Checkpoints, *arguments: Any) -> None:
        whole(checkpoints, *arguments)
        checkpoints.highest = float("inf")

    monkeypatch.setattr(Checkpoints, "on_train_epoch_end", the_first_is_best)
    data = (f"data/split={split}", *(["data.split.folds=2"] if split == "folds" else []))
    small = ("model=mlp", "view=characters", "optim.ema=0.5", "optim.epochs=3", "optim.epoch_images=null", *QUIET)
    run = train("data=csv", f"data.root={labelled}", *data, *small)
    result = run.read_result()
    assert result["best/epoch"] == 1
    first, *_, last = read_csv(run.metrics)
    for name in (name for name in first if name.startswith("val/")):
        assert result[name] == pytest.approx(float(first[name]), rel=1e-6), name
    assert {name: float(last[name]) for name in last if name.startswith("train/")}.items() <= result.items()
    best = torch.load(run.best, weights_only=True)["state_dict"]
    weights = load_file(run.weights)
    assert all(torch.equal(best[f"model.{name}"], tensor) for name, tensor in weights.items())
    if split == "parts":
        evaluated = experiment.prepare(run.settings())
        evaluated.recognizer.model.load_state_dict(weights)
        evaluated.trainer(run, []).test(evaluated.recognizer, datamodule=evaluated.data, verbose=False)
        assert [p.answer for p in run.read_predictions()] == [r.text for r in evaluated.recognizer.readings]


SMALL = ("model=mlp", "view=characters", "data=csv", "optim.epochs=3", "optim.epoch_images=null", *QUIET)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("val", ["0.1", "null"])
def test_a_diverging_training_names_the_step_and_keeps_earlier_epochs(
    number: float, val: str, train: Train, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Recognizer.training_step

    def diverging(recognizer: Recognizer, batch: Any, step: int) -> Any:
        lost = recognizer.current_epoch == 1 and step == 1
        with monkeypatch.context() as patched:
            patched.setattr(Recognizer, "loss", lambda *_: loss(*_) * number) if lost else None
            return whole(recognizer, batch, step)

    loss = Recognizer.loss
    monkeypatch.setattr(Recognizer, "training_step", diverging)
    small = (*SMALL, f"data.root={labelled}", f"data.split.val={val}", "data.train_size=48", "optim.batch_size=16")
    with pytest.raises(Mistake, match=r"^optim\.lr: the training diverged in epoch 2, at step 2 of 3: .* 0\.01"):
        train(*small)
    kept = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert kept["epoch"] == 0
    assert all(tensor.isfinite().all() for tensor in kept["state_dict"].values())


@pytest.mark.parametrize("val", ["0.1", "null"])
def test_infinite_weights_after_the_last_step_are_not_kept(
    val: str, train: Train, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Make the weights infinite after the only step of an epoch, whose loss was still finite."""
    monkeypatch.setattr(
        Recognizer, "on_train_batch_end", lambda recognizer, *_: next(recognizer.parameters()).data.fill_(torch.inf)
    )
    small = (*SMALL, f"data.root={labelled}", f"data.split.val={val}", "data.train_size=16", "optim.batch_size=16")
    with pytest.raises(Mistake, match=r"diverged in epoch 1, after step 1 of 1: .* 0\.01, or optim\.clip=1$"):
        train(*small, "optim.clip=0")
    assert not list((tmp_path / "run").rglob("*.ckpt"))
