"""The models of make_golden.py against fresh passes of the binary, and against the golden files: `make oracle`.

    python tests/oracle/live.py target/release/stcn

trains every model for a moment on the handwriting that the program makes itself, dumps a pass, computes it again and
compares all that both have by name; then runs the example of the book's page on dumps.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import make_golden
import numpy as np
import torch
from safetensors import safe_open

# How far f32 may be from f64, of the largest number of a tensor; and what share of the largest gradient is the least scale.
TOLERANCE, SMALLEST = 2**-14, 1e-4
RUNS = [(model, head, []) for head in ("gmm", "normal", "bigmm", "bernoulli", "ar") for model in make_golden.MODELS] + [
    ("stcn-dense", "gmm", ["model.draws=fresh", "model.precision=as-released", "model.floors=as-released"]),
    ("stcn", "gmm", ["model.draws=fresh", "model.decoder=gated"]),
    ("wavenet-dense", "gmm", ["model.dense_taps=release"]),
    ("swavenet", "bigmm", ["model.gate_act=linear-as-released"]),
    ("z-forcing", "normal", ["model.auxiliary_target=full"]),
    ("vrnn", "bigmm", ["model.layers=2", "train.reduction=mean-step"]),
    ("vrnn", "gmm", ["train.objective=iwae", "train.particles=3"]),
    ("stcn-dense", "gmm", ["train.objective=iwae", "train.particles=3"]),
]


class Given(make_golden.Parameters):
    """The parameters of a dump, and which of them a model asked for."""

    def __init__(self, values):
        super().__init__("", {})
        self.update({path: value.requires_grad_() for path, value in values.items()})
        self.asked = set()

    def __call__(self, path, *shape, bias={}):
        assert path in self, f"the dump has no param.{path}"
        self.asked.add(path)
        return super().__call__(path, *shape)


def config(about):
    """A run's config in the words of make_golden.py."""
    m, train = about["config"]["model"], about["config"]["train"]
    independent = m["kind"].startswith(("stcn", "ladder")) and m["decoder"] == "pointwise"
    independent |= m["kind"] == "swavenet" and len(m["latents"]) == 1
    # Every model has its own keys; the first that it has, or nothing, which it then never reads.
    first = lambda *keys: next((m[key] for key in keys if m.get(key)), None)
    units = first("channels", "hidden_size")
    latents = first("latents") or [first("latent_size")] * (first("levels") or 1)
    return SimpleNamespace(
        model=m["kind"], head=m["head"], task=m["task"], units=units, latents=latents,
        embed=first("embedding_size", "output_size", "emission_size"), embed_latent=first("latent_embedding_size"),
        hidden=first("latent_hidden", "latent_hidden_size", "gate_hidden_size", "transition_size") or units,
        blocks=first("blocks_per_latent", "cells_per_latent", "blocks_per_level"), kernel=first("kernel_size"),
        layers=first("output_layers", "layers"), net_layers=first("latent_layers"), pre=m.get("pre_layers"),
        mixtures=m["mixtures"], decoder=first("decoder"), draws=first("draws"), precision=first("precision"),
        floors=m["floors"], taps=first("dense_taps"), gate_kind=first("gate_kind"), gate_act=first("gate_act"),
        target=first("auxiliary_target"), auxiliary_weight=m.get("auxiliary_weight"), state_weight=m.get("state_weight"),
        backward_weight=m.get("backward_weight"), objective=train["objective"], particles=about["draws"],
        per_step=independent, reduction=train["reduction"], mild=True, biases={},
    )


def again(tensors, about):
    """The pass of a dump, computed here."""
    make_golden.SEED, make_golden.STEP = about["config"]["seed"], about["step"]
    given = Given({name[6:]: value for name, value in tensors.items() if name.startswith("param.")})
    xs = [x[:n] for x, n in zip(tensors["input.x"], about["lengths"])]
    seen = make_golden.run(config(about), given, xs, [i - 1 for i in about["sequences"]], about["kl_weight"])
    return {**seen, **{f"param.{path} of no model": given[path] for path in given.keys() - given.asked}}


def differences(want, found, lengths, tolerance):
    """A sentence for every tensor that is not there or not the same, and how far off the worst of the others is."""
    said, worst, T = [], 0, max(lengths)
    largest = max(value.abs().max().item() for name, value in want.items() if name.startswith("grad."))
    for name, value in want.items():
        value, other = value.detach(), found.get(name)
        if other is None or value.numel() != other.numel():
            said.append(f"{name} is {None if other is None else tuple(other.shape)} in the dump, {tuple(value.shape)} here")
            continue
        off = (value - other.reshape(value.shape)).abs()
        if name.startswith(("value.", "noise.")) and value.dim() > 1:
            for row, sequence in enumerate(off):
                sequence[lengths[row % len(lengths)] + value.shape[1] - T:] = 0  # behind its end
        scale = max(value.abs().max().item(), SMALLEST * largest if name.startswith("grad.") else 0, 1e-30)
        share = off.max().item() / scale
        worst = max(worst, share)
        if not share <= tolerance:
            said.append(f"{name} differs by {share:.1e} of its largest number")
    return said, worst


def start(words, folder):
    """What a program wrote to stdout; leaves with what it wrote to stderr if it failed."""
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(map(str, words))}\n{ended.stderr}")
    return ended.stdout


def load(path):
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name).double() for name in file.keys()}
        return tensors, json.loads(file.metadata()["stcn"])


def report(what, said, worst):
    print(f"{what}: " + ("\n  ".join([f"{len(said)} tensors differ", *said]) if said else f"agrees, to {worst:.0e}"), flush=True)
    return bool(said)


def music(folder):
    """Arguments for a data set of keys, since the program makes only handwriting itself."""
    rows = np.random.default_rng(1).random((40 * 30, 4)) < 0.3
    np.savez(f"{folder}/keys.npz", samples=rows.astype("f4"), lengths=np.full(40, 30), split=(np.arange(40) % 4 == 3).astype("i1"))
    return ["--preset", "music-small", "--data", "keys.npz", "--set", "model.input=4"]


def main(stcn):
    failed = False
    here = pathlib.Path(__file__).parent
    for model in make_golden.MODELS:
        tensors, _ = load(here / "golden" / f"{model}.safetensors")
        said, worst = [], 0
        for case in filter(lambda case: case[0] == model, make_golden.cases()):
            name = case[2]
            mine = {key: value.float().double() for key, value in make_golden.golden(*case).items()}
            file = {key[len(name) + 1:]: value for key, value in tensors.items() if key.startswith(f"{name}/")}
            more, off = differences(mine, file, make_golden.LENGTHS, 1e-6)
            said, worst = said + [f"{name}: {line}" for line in more], max(worst, off)
        failed |= report(f"golden {model}", said, worst)

    for model, head, keys in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            run = lambda words: start([stcn, *words], folder)
            sets = [word for key in keys for word in ("--set", key)]
            data = music(folder) if head == "bernoulli" else []
            run(["train", *data, "--model", model, "--head", head, "--out", "run", "--steps", "20", *sets])
            run(["inspect", "run", "--batch", "3", "--steps", "24", "--dump", "pass.safetensors"])
            tensors, about = load(f"{folder}/pass.safetensors")
            said, worst = differences(again(tensors, about), tensors, about["lengths"], TOLERANCE)
            failed |= report(" ".join([model, head, *keys]), said, worst)
            if (model, head, keys) == ("stcn-dense", "gmm", []):
                page = (here / "../../src/book/dump.md").read_text()
                example = re.search(r"```python\n(.*?)```", page, re.S).group(1)
                print("the book's example: ", end="", flush=True)
                print(start([sys.executable, "-c", example], folder), end="")
    return failed


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
