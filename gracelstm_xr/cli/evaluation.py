"""``gracelstm evaluate``: score a model and write the report."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from gracelstm_xr.cli.commands import (
    _check_folder,
    _new_folder,
    _open,
    say,
)
from gracelstm_xr.core.time import gps_label
from gracelstm_xr.evaluate.text import score_table
from gracelstm_xr.evaluate.verdict import verdict
from gracelstm_xr.files import check_sources

if TYPE_CHECKING:
    from gracelstm_xr.filling.model import FittedModel

#: Folder in the report's folder that holds finished parts until all are done.
PARTS = "parts"


def evaluate(arguments: Namespace) -> None:
    """``gracelstm evaluate``."""
    from gracelstm_xr import lstm
    from gracelstm_xr.compute import cluster
    from gracelstm_xr.evaluate.evaluation import evaluate as score_gaps
    from gracelstm_xr.evaluate.parts import claim_parts, remove_parts
    from gracelstm_xr.evaluate.report import check_report, write_report
    from gracelstm_xr.filling.hidden import GAP_LENGTHS

    folder = _check_folder(arguments.report)
    claim_parts(folder / PARTS)
    # parts are there until the report is whole
    again = arguments.overwrite or (folder / PARTS).exists()
    check_report(folder, overwrite=again)
    check_sources([folder], [arguments.store])
    model = lstm.load_model(arguments.model)
    span = _span(arguments, model)
    ds = _open(arguments.store)
    arguments.resumes = True
    with (
        cluster.client(scheduler=arguments.scheduler, workers=arguments.workers),
        _new_folder(folder),
    ):
        score = score_gaps(
            ds,
            model,
            lengths=arguments.lengths or GAP_LENGTHS,
            count=arguments.count,
            seed=arguments.seed,
            span=span,
            allow_training=arguments.allow_training,
            clean=arguments.clean,
            keep=folder / PARTS,
            progress=not arguments.quiet,
        )
        write_report(score, model, folder, overwrite=again)
    remove_parts(folder / PARTS)
    say(score_table(score))
    for sentence in verdict(score):
        say(sentence)
    say(f"report in {folder / 'report.html'}")


def _span(arguments: Namespace, model: FittedModel) -> tuple[str, str] | None:
    """Span asked for; what is not said is the test span's."""
    if arguments.start is None and arguments.stop is None:
        return None
    first, last = (gps_label(t) for t in model.split.test)
    return arguments.start or first, arguments.stop or last
