"""`simulate --save`: what a forecast tells, as the history keeps it."""

from __future__ import annotations

import argparse
import time
from datetime import tzinfo

from arvnodeman.commands.simulate_inputs import WrongInput
from arvnodeman.commands.simulate_options import AS_TRACED
from arvnodeman.history.dates import NoDate, moment
from arvnodeman.history.predictions import Prediction
from arvnodeman.whatif.forecast import Forecast


def from_when(options: argparse.Namespace, zone: tzinfo | None) -> float | None:
    """From when on the prediction is to hold; None: it is of the time of the trace. Raises WrongInput."""
    if options.save in (None, AS_TRACED):
        return None
    try:
        return moment(options.save, time.time(), zone)
    except NoDate as error:
        raise WrongInput([f"--save: {error}"]) from None


def prediction_of(forecast: Forecast, since: float | None, config: str) -> Prediction:
    """What it tells of the time in which its jobs came, or of one as long. `config`: in words."""
    began = forecast.began if since is None else since
    hours = forecast.node_hours
    return Prediction(
        made=time.time(),
        since=began,
        until=began + forecast.ended - forecast.began,
        config=config,
        jobs=forecast.waits.jobs,
        node_hours=hours.booting + hours.idle + hours.busy + hours.ending,
        cost=forecast.cost,
        mean_wait=forecast.waits.mean,
    )
