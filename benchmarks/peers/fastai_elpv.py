"""The same job by fastai: same images, same pretrained weights, same folds, body frozen.

Run in an environment of its own (``pip install -r benchmarks/peers/requirements.txt`` and
``pip install --no-deps -e .``), after a Foveal run has laid down the folds::

    python benchmarks/peers/fastai_elpv.py DATA RUN [--epochs 5]

Prints one JSON line with accuracy out of fold and wall seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--folds", type=int, default=None, help="only the first N folds")
    options = parser.parse_args()

    start = time.perf_counter()
    import numpy as np
    import torch
    from fastai.vision import all as vision
    from pyarrow import parquet

    from foveal.models import load_backbone

    backbone = load_backbone()
    torch.manual_seed(0)
    np.random.seed(0)
    table = parquet.read_table(options.run / "oof.parquet").to_pandas()
    paths = [options.data / path for path in table["path"]]
    labels = table["label"].to_numpy()
    folds = table["fold"].to_numpy()
    num_folds = int(folds.max()) + 1
    of = dict(zip(map(str, paths), labels, strict=True))
    vision.set_seed(0)
    right = judged = 0
    fold_seconds = []
    for fold in range(options.folds or num_folds):
        began = time.perf_counter()
        held_out = np.flatnonzero(folds == fold)
        block = vision.DataBlock(
            blocks=(vision.ImageBlock, vision.CategoryBlock),
            get_y=lambda path: of[str(path)],
            splitter=vision.IndexSplitter(held_out),
            item_tfms=vision.Resize(224, method=vision.ResizeMethod.Squish),
            batch_tfms=[vision.Normalize.from_stats([0.5] * 3, [0.5] * 3)],
        )
        loaders = block.dataloaders(paths, bs=32, num_workers=0)
        learner = vision.vision_learner(
            loaders,
            backbone.name,
            pretrained=False,  # it would ask the hub; the same weights are put in below
            normalize=False,  # the weights' own mean and std are in batch_tfms
            metrics=vision.accuracy,
        )
        state = backbone.network.state_dict()
        body = learner.model[0].model
        missing, _ = body.load_state_dict(state, strict=False)
        assert not missing, missing
        learner.freeze()
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(options.epochs)
            predictions, truth = learner.get_preds()
        right_here = int((predictions.argmax(1) == truth).sum())
        right += right_here
        judged += len(held_out)
        fold_seconds.append(time.perf_counter() - began)
        print(
            f"fold {fold + 1}: {right_here} of {len(held_out)} right, {fold_seconds[-1]:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    print(
        json.dumps(
            {
                "tool": f"fastai {vision.__version__ if hasattr(vision, '__version__') else ''}",
                "epochs": options.epochs,
                "accuracy": right / judged,
                "num_images": judged,
                "num_folds": len(fold_seconds),
                "seconds": time.perf_counter() - start,
                "fold_seconds": fold_seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
