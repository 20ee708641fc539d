import csv
import json
import os
import signal
import threading
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tomli_w
import torch

from tests.conftest import WaitFor
from tests.trainer.conftest import FakeDatabase
from thermoseg.assets import asset
from thermoseg.errors import ConfigError
from trainer.benchmark import (
    Benchmark,
    Ending,
    TableConfig,
    _hold,
    choose_data,
    choose_rows,
    load_table,
    plan_runs,
    refuse_missing_devices,
    score,
)
from trainer.benchmark_report import Result, csv_text, markdown_text
from trainer.checkpoint import load_checkpoint
from trainer.cli import main
from trainer.config import ThermalFaceDbConfig, load_config
from trainer.published import TABLES, Row

TINY: dict[str, Any] = {
    "networks": ["unet"],
    "seeds": [1],
    "phantom": {
        "sources": [{"kind": "phantom", "scene": "laboratory", "pictures": 8}],
        "judged": [
            {
                "name": "wild",
                "sources": [{"kind": "phantom", "scene": "wild"}],
                "pictures": 4,
            },
            {
                "name": "laboratory",
                "sources": [{"kind": "phantom", "scene": "laboratory"}],
                "pictures": 4,
            },
        ],
    },
    "database": {
        "sources": [{"kind": "thermal_face_db", "path": "DATA"}],
        "judged": [
            {"name": "validation", "sources": [{"kind": "thermal_face_db", "path": "DATA"}]}
        ],
    },
    "recipe": {
        "network": {"width": 2},
        "stream": {
            "height": 32,
            "width": 32,
            "normalisations": ["minmax"],
            "lanes": 1,
            "workers": 0,
        },
        "tiaug": {"rotation_deg": [-20.0, 20.0]},
        "run": {
            "iterations": 2,
            "batch": 2,
            "threads": 1,
            "accelerator": "cpu",
            "checkpoint_every": 1,
            "tensorboard": False,
        },
        "validation": {"pictures": 4},
    },
}


def a_table(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(tomli_w.dumps(TINY))
    return path


def a_benchmark(
    tmp_path: Path, rows: list[str], *settings: str
) -> tuple[Benchmark, list[str], Path]:
    table = load_table(a_table(tmp_path))
    out, said = tmp_path / "out", list[str]()
    runs = plan_runs(table, table.phantom, choose_rows(2, rows, table.networks), [1], out, settings)
    return Benchmark(2, runs, table.phantom.judged, out, said.append), said, out


def test_the_tables_have_the_papers_rows_and_figures() -> None:
    figures = {
        number: {row.name: row.published_percent for row in rows} for number, rows in TABLES.items()
    }

    assert len(figures[1]) == 20
    assert len(figures[2]) == 15
    assert figures[1]["unet/bce"] == 67.64
    assert figures[1]["attention_unet/seg_gan"] == 76.24
    assert figures[1]["deeplabv3plus_resnet101/rmi+contrastive"] == 74.45
    assert figures[1]["hrnetv2_w48/rmi+tiaug+sam_cl"] == 78.97
    assert figures[2]["attention_unet/rmi+tiaug"] == 82.29
    assert figures[2]["deeplabv3plus_xception65/rmi"] == 76.55


def test_rows_are_chosen_by_name_and_pattern() -> None:
    def names(*wanted: str) -> list[str]:
        return [row.name for row in choose_rows(2, wanted, ["unet"])]

    assert names() == ["unet/rmi", "unet/rmi+tiaug", "unet/rmi+tiaug+sam_cl"]
    assert names("*/rmi", "hrnetv2_w48/rmi") == [
        "unet/rmi",
        "attention_unet/rmi",
        "hrnetv2_w48/rmi",
        "deeplabv3plus_resnet101/rmi",
        "deeplabv3plus_xception65/rmi",
    ]
    (own,) = choose_rows(2, ["compact/dice+sam_cl"], [])
    assert (own.published_percent, own.weights) == (None, {"dice": 1.0, "sam_cl": 0.5})


@pytest.mark.parametrize(
    "name",
    ["*/dice+magic", "unet", "unet/magic", "unet/tiaug", "unet/rmi+rmi", "unett/rmi", "/rmi"],
)
def test_what_is_no_row_is_refused(name: str) -> None:
    said = r"fits no row|is no learning strategy|no network is called"
    with pytest.raises(ConfigError, match=said):
        choose_rows(2, [name], [])


def test_rows_differ_in_loss_and_objects_and_share_the_geometry(tmp_path: Path) -> None:
    table = load_table(a_table(tmp_path))
    rows = choose_rows(2, [], ["unet"])
    plain, tiaug, full = (
        run.config for run in plan_runs(table, table.phantom, rows, [7], tmp_path / "out")
    )

    assert plain.tiaug is not None
    assert tiaug.tiaug is not None
    assert (plain.tiaug.occlude, plain.tiaug.noise) == (0, 0)
    assert (tiaug.tiaug.occlude, tiaug.tiaug.noise) == (0.5, 0.5)
    assert plain.tiaug.rotation_deg == tiaug.tiaug.rotation_deg == (-20.0, 20.0)
    assert plain.tiaug.model_copy(update={"occlude": 0.5, "noise": 0.5}) == full.tiaug
    losses = [(one.objective.rmi, one.objective.sam_cl) for one in (plain, tiaug, full)]
    assert losses == [(1, 0), (1, 0), (1, 0.5)]
    assert {one.objective.cross_entropy for one in (plain, tiaug, full)} == {0}
    assert {one.seed for one in (plain, tiaug, full)} == {7}


@pytest.mark.parametrize("name", ["full", "small"])
@pytest.mark.parametrize("number", [1, 2])
def test_every_row_of_the_bundled_tables_is_a_valid_recipe(
    tmp_path: Path, name: str, number: int
) -> None:
    table = load_table(asset(f"training/table-{name}.toml"))

    for data in (table.phantom, choose_data(table, str(tmp_path))):
        runs = plan_runs(table, data, TABLES[number], table.seeds, tmp_path / "out")
        assert len(runs) == 3 * len(TABLES[number])


def test_the_full_recipe_is_the_papers(tmp_path: Path) -> None:
    table = load_table(asset("training/table-full.toml"))
    data = choose_data(table, str(tmp_path))
    config = plan_runs(table, data, TABLES[2], [1], tmp_path / "out")[2].config

    assert (config.run.batch, config.run.iterations) == (16, 40000)
    assert (config.stream.height, config.stream.width) == (256, 320)
    optimiser = config.optimiser
    assert (optimiser.name, optimiser.schedule) == ("sgd", "poly")
    assert (optimiser.learning_rate, optimiser.momentum) == (0.01, 0.9)
    assert (optimiser.weight_decay, optimiser.ema) == (5e-4, 0)
    assert config.network.width == 64
    for source in (config.sources[0], data.judged[0].sources[0]):
        assert isinstance(source, ThermalFaceDbConfig)
        assert source.path == tmp_path
    assert config.tiaug is not None
    assert (config.tiaug.scale, config.tiaug.rotation_deg) == ((0.5, 2.0), (-180.0, 180.0))


def test_the_papers_own_run_is_the_last_row_of_the_full_table(tmp_path: Path) -> None:
    table = load_table(asset("training/table-full.toml"))
    data = choose_data(table, str(tmp_path))
    rows = choose_rows(2, ["attention_unet/rmi+tiaug+sam_cl"], [])
    (row,) = plan_runs(table, data, rows, [1], tmp_path / "out")

    paper = load_config(asset("training/paper.toml"), (f"sources.0.path={tmp_path}",))

    # Settings of losses that neither has.
    others = {"class_weights", "contrastive_channels", "contrastive_memory"}
    ours, theirs = (one.model_dump(exclude={"objective": others}) for one in (paper, row.config))
    assert ours == theirs


def test_pixels_are_contrasted_as_published(tmp_path: Path) -> None:
    table = load_table(asset("training/table-full.toml"))
    rows = choose_rows(1, ["unet/rmi+contrastive"], [])
    (run,) = plan_runs(table, table.phantom, rows, [1], tmp_path / "out")

    objective = run.config.objective
    assert (objective.contrastive_channels, objective.contrastive_memory) == (256, 5000)
    assert (objective.contrastive, objective.contrastive_temperature) == (0.1, 0.1)


def test_a_fault_of_a_recipe_names_the_row_and_the_key(tmp_path: Path) -> None:
    table = load_table(a_table(tmp_path))

    with pytest.raises(ConfigError, match=r"recipe of unet/rmi: run\.batches: is not a setting"):
        plan_runs(
            table, table.phantom, choose_rows(2, [], ["unet"]), [1], tmp_path, ["run.batches=3"]
        )


def test_a_table_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.toml"
    path.write_text(tomli_w.dumps({**TINY, "sedes": [1]}))

    with pytest.raises(ConfigError, match=r"table\.toml: sedes: is not a setting"):
        load_table(path)


def test_data_must_be_the_phantom_or_a_folder(tmp_path: Path) -> None:
    table = TableConfig.model_validate(TINY)

    assert choose_data(table, "phantom") == table.phantom
    with pytest.raises(ConfigError, match="nowhere: is no folder"):
        choose_data(table, str(tmp_path / "nowhere"))


@pytest.mark.timeout(300)
def test_a_run_is_stopped_goes_on_and_is_not_repeated_and_a_failure_stops_nobody(
    tmp_path: Path, wait_for: WaitFor
) -> None:
    settings = ["run.iterations=4000", "run.checkpoint_every=5"]
    first, _, out = a_benchmark(tmp_path, ["unet/rmi"], *settings)
    folder = out / "unet" / "rmi" / "seed-1"

    def stop_once_it_has_saved() -> None:
        try:
            wait_for((folder / "last.ckpt").exists, timeout_s=250)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=stop_once_it_has_saved)
    watcher.start()
    ending = first.run()
    watcher.join()
    reached = load_checkpoint(folder)["iteration"]

    assert ending == Ending((), {}, ("unet/rmi seed 1",))
    assert 0 < reached < 4000
    # The rest of it would take minutes; nearly there is as good.
    shorten(folder, reached + 3)

    settings[0] = f"run.iterations={reached + 3}"
    second, said, _ = a_benchmark(tmp_path, ["nobody:Nothing/rmi", "unet/rmi"], *settings)
    ending = second.run()

    assert ending.finished == ("unet/rmi seed 1",)
    assert "“nobody” cannot be imported" in ending.failed["nobody:Nothing/rmi seed 1"]
    assert any("goes on" in one for one in said)
    assert load_checkpoint(folder)["iteration"] == reached + 3
    with (out / "table-2.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    kinds = [(line["set"], line["weights"]) for line in lines]
    assert kinds == [
        ("laboratory", "final"),
        ("laboratory", "averaged"),
        ("wild", "final"),
        ("wild", "averaged"),
    ]
    assert {line["published_percent"] for line in lines} == {"81.36"}
    table = cv2.imread(str(out / "table-2.png"))
    assert table is not None
    assert table.std() > 10
    log = (folder / "train.log").read_bytes()

    third, said, _ = a_benchmark(tmp_path, ["unet/rmi"], *settings)
    assert third.run() == Ending(("unet/rmi seed 1",), {}, ())
    assert (folder / "train.log").read_bytes() == log
    with pytest.raises(ConfigError, match="begun with other settings"):
        a_benchmark(tmp_path, ["unet/rmi"], "run.iterations=9")


def shorten(folder: Path, iterations: int) -> None:
    """Change the length of a run that was begun, in both places that remember it."""
    about = json.loads((folder / "run.json").read_text())
    about["config"]["run"]["iterations"] = iterations
    (folder / "run.json").write_text(json.dumps(about))
    recipe = (folder / "recipe.toml").read_text()
    assert "iterations = 4000" in recipe
    (folder / "recipe.toml").write_text(
        recipe.replace("iterations = 4000", f"iterations = {iterations}")
    )


@pytest.mark.timeout(300)
def test_the_command_trains_and_evaluates_a_row_on_the_database(
    tmp_path: Path, fake_database: FakeDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = deepcopy(TINY)
    split = {"cache": str(tmp_path / "cache"), "validation_subjects": ["007"]}
    for source in (tree["database"]["sources"][0], tree["database"]["judged"][0]["sources"][0]):
        source |= split
    path, out = tmp_path / "table.toml", tmp_path / "out"
    path.write_text(tomli_w.dumps(tree))
    command = ["benchmark", "--table", "2", "--data", str(fake_database.folder)]
    command += ["--config", str(path), "--rows", "unet/rmi+tiaug+sam_cl", "--out", str(out)]

    assert main([*command, "--set", "run.precision=16-mixed"]) == 1
    said = capsys.readouterr().err
    assert "recipe of unet/rmi+tiaug+sam_cl: run.precision: 16-mixed needs a GPU" in said
    assert "--set run.precision=32-true" in said
    assert not out.exists()

    assert main(command) == 0

    assert "| U-Net | 82.11 |" in capsys.readouterr().out
    folder = out / "unet" / "rmi+tiaug+sam_cl" / "seed-1"
    state = load_checkpoint(folder)
    assert state["iteration"] == 2
    (source,) = json.loads(state["config"])["sources"]
    assert (source["kind"], source["path"]) == ("thermal_face_db", str(fake_database.folder))
    with (out / "table-2.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["set"], line["iterations"]) for line in lines] == [("validation", "2")] * 2
    (judged,) = json.loads((folder / "scores.json").read_text())["scores"][:1]
    # Both pictures of the one validation subject, every pixel once.
    assert np.sum(judged["counts"]) == 2 * 32 * 32


def test_a_run_that_never_began_may_begin_with_other_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Benchmark, command: list[str], log: Path, held: int) -> int:
        log.write_text("thermoseg-train: run.batch: too large\n")
        return 1

    monkeypatch.setattr(Benchmark, "_wait_for", refused)
    for iterations in (3, 4):
        benchmark, _, out = a_benchmark(tmp_path, ["unet/rmi"], f"run.iterations={iterations}")
        assert "too large" in benchmark.run().failed["unet/rmi seed 1"]

    folder = out / "unet" / "rmi" / "seed-1"
    assert load_config(folder / "recipe.toml").run.iterations == 4
    (folder / "last.ckpt").touch()
    with pytest.raises(ConfigError, match="begun with other settings"):
        a_benchmark(tmp_path, ["unet/rmi"], "run.iterations=5")


def test_what_is_finished_needs_no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    table = load_table(a_table(tmp_path))
    rows = choose_rows(2, ["unet/rmi"], [])
    wanted = ["run.accelerator=cuda"]
    runs = plan_runs(table, table.phantom, rows, [1], tmp_path / "out", wanted)

    with pytest.raises(
        ConfigError, match=r"recipe of unet/rmi: run\.accelerator: PyTorch finds no"
    ):
        refuse_missing_devices(runs)
    runs[0].folder.mkdir(parents=True)
    (runs[0].folder / "scores.json").touch()
    refuse_missing_devices(runs)


def test_a_run_in_the_hands_of_another_process_is_left_to_it(tmp_path: Path) -> None:
    benchmark, said, out = a_benchmark(tmp_path, ["unet/rmi"])
    folder = out / "unet" / "rmi" / "seed-1"
    folder.mkdir(parents=True)

    with _hold(folder) as held:
        assert held is not None
        ending = benchmark.run()

    assert ending == Ending((), {}, ("unet/rmi seed 1",))
    assert "another process" in said[0]
    assert not (folder / "train.log").exists()


def a_result(learning: str, seed: int, chin_hits: int, judged: str = "wild") -> Result:
    """Every region of 100 pixels found in full, but the chin as said; the rest is background."""
    published = {"rmi": 81.36, "rmi+tiaug": 81.91}[learning]
    counts = np.diag([100] * 6)
    counts[1] = [100 - chin_hits, chin_hits, 0, 0, 0, 0]
    return Result(Row("unet", learning, published), seed, judged, "averaged", counts, 10, 0.5)


def test_a_result_gives_the_overlap_of_each_region() -> None:
    percents = a_result("rmi", 1, 40).percents

    assert percents["chin"] == pytest.approx(40)
    assert percents["nose"] == pytest.approx(100)
    assert percents["mean"] == pytest.approx(88)
    # The background has 60 pixels too many: 100 of 160.
    assert percents["background"] == pytest.approx(62.5)
    assert percents["mean_with_background"] == pytest.approx((440 + 62.5) / 6)


def test_markdown_shows_means_spread_gains_and_the_published_figures() -> None:
    rows = choose_rows(2, ["unet/rmi", "unet/rmi+tiaug"], [])
    results = [a_result("rmi", seed, hits) for seed, hits in ((1, 40), (2, 50))]
    results += [a_result("rmi+tiaug", seed, hits) for seed, hits in ((1, 50), (2, 70))]

    text = markdown_text(2, rows, results, ["wild"])

    assert "| U-Net | 89.00 ± 1.41 | 92.00 ± 2.83 |" in text
    assert "| U-Net | 81.36 | 81.91 |" in text
    assert "| wild | U-Net | RMI → RMI + TiAug | +3.00 ± 1.41 | +0.55 |" in text


def test_gains_are_those_of_steps_and_losses_of_table_1_are_none() -> None:
    rows = choose_rows(2, ["unet/rmi", "unet/rmi+tiaug"], [])
    results = [a_result("rmi", 1, 40), a_result("rmi+tiaug", 1, 50)]

    assert "Gain of each step" in markdown_text(2, rows, results, ["wild"])
    assert "Gain of each step" not in markdown_text(1, rows, results, ["wild"])


def test_csv_has_a_line_for_each_result() -> None:
    (line,) = csv.DictReader(csv_text([a_result("rmi", 3, 40)]).splitlines())

    assert (line["network"], line["learning"], line["seed"]) == ("unet", "rmi", "3")
    assert line["mean_percent"] == "88.000"
    assert line["chin_percent"] == "40.000"
    assert line["published_percent"] == "81.36"


def test_the_command_lists_runs_and_refuses_what_it_does_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["benchmark", "--table", "2", "--data", "phantom", "--out", str(tmp_path / "out")]

    assert main([*command, "--list", "--seeds", "4,5", "--rows", "unet/rmi"]) == 0
    assert capsys.readouterr().out == "unet/rmi seed 4\nunet/rmi seed 5\n"
    assert main([*command[:-2], "--list", "--seeds", "4", "--rows", "unet/rmi"]) == 0
    assert capsys.readouterr().out == "unet/rmi seed 4\n"
    with pytest.raises(SystemExit, match="2"):
        main(command[:-2])
    assert "--out" in capsys.readouterr().err
    assert main([*command, "--rows", "unet/*x"]) == 1
    assert "fits no row of table 2" in capsys.readouterr().err
    for seeds in ("1,1", "-1", "one", "1,,2", ""):
        with pytest.raises(SystemExit):
            main([*command, f"--seeds={seeds}"])
        assert "argument --seeds: must be different whole numbers" in capsys.readouterr().err


def test_a_folder_that_is_a_file_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").touch()
    command = ["benchmark", "--table", "2", "--data", "phantom", "--out", str(tmp_path / "out")]

    assert main([*command, "--seeds", "1", "--rows", "unet/rmi"]) == 1

    assert "cannot be made (Not a directory); choose another --out" in capsys.readouterr().out


def test_a_row_of_a_network_of_the_users_own_is_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "benchmarked_networks.py").write_text(
        "from torch import nn\n\n\ndef mine(num_classes):\n"
        "    return nn.Conv2d(1, num_classes, 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    table = load_table(a_table(tmp_path))
    rows = choose_rows(2, ["benchmarked_networks:mine/rmi"], [])
    (run,) = plan_runs(table, table.phantom, rows, [1], tmp_path / "out")
    weights = {"weight": torch.zeros(6, 1, 1, 1), "bias": torch.tensor([0.0, 0, 0, 1, 0, 0])}
    labels = np.arange(6, dtype=np.uint8).repeat(171)[: 32 * 32].reshape(32, 32)

    counts = score(run.config, weights, [(np.zeros((32, 32), np.float32), labels)])

    # It calls everything eyes.
    assert counts[:, 3].tolist() == [171, 171, 171, 171, 171, 169]
    assert counts.sum() == 32 * 32
    assert run.folder.parts[-3:] == ("benchmarked_networks.mine", "rmi", "seed-1")
