"""Contestants that take turns: A B C A B C ..., each in a process of its own."""

import time
from dataclasses import dataclass, field

import numpy as np
from _workers import Worker, WorkerError

# For threads of the one before to go to sleep.
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Contestant:
    """One row of a race.

    Attributes:
        label: What the table calls it.
        module: Module in this folder that has the function `prepare`.
        prepare: Name of the function from settings to `_workers.Prepared`.
        settings: For that function, JSON values.
        environment: Variables of the worker's environment.
        absent: Why it cannot run, in place of its numbers; empty if it can.
    """

    label: str
    module: str
    prepare: str
    settings: dict
    environment: dict = field(default_factory=dict)
    absent: str = ""


def race(contestants, repetitions, threads=2, least_seconds=0.2, warm_up=1):
    """Warm up everyone, then let everyone take turns.

    Args:
        contestants: Names to `Contestant`.
        repetitions: Turns of each.
        threads: Cores that each may use.
        least_seconds: A turn is as many steps as take this long, at least one.
        warm_up: Steps before the first turn.

    Returns:
        Names to results: `label`, `status` ("measured", or why there are no numbers) and, of those
        measured, `seconds` (each turn's steps), `first_step_seconds`, peak memory before the first
        step and of all (`start_bytes`, `peak_bytes`, `device_peak_bytes`), `facts` and the last
        `result`.
    """
    results, running = {}, {}
    try:
        for name, contestant in contestants.items():
            results[name] = {"label": contestant.label, "status": contestant.absent or "measured"}
            if not contestant.absent:
                _attempt(_start, name, contestant, threads, warm_up, running, results)
        for _ in range(repetitions):
            for name in list(running):
                time.sleep(PAUSE_SECONDS)
                _attempt(_turn, name, least_seconds, running, results)
    finally:
        for worker in running.values():
            worker.close()
    return results


def _attempt(action, name, *arguments):
    *_, running, results = arguments
    try:
        action(name, *arguments)
    except WorkerError as error:
        results[name] = {"label": results[name]["label"], "status": str(error)}
        running.pop(name).close()


def _start(name, contestant, threads, warm_up, running, results):
    worker = Worker(
        contestant.module,
        contestant.prepare,
        contestant.settings,
        threads,
        contestant.environment,
    )
    running[name] = worker
    ready = worker.ready()
    result = results[name]
    result |= {"facts": ready["facts"], "start_bytes": ready["peak_bytes"], "seconds": []}
    for count in range(warm_up):
        answer = worker.step()
        if count == 0:
            result["first_step_seconds"] = answer["seconds"][0]
        _note(result, answer)


def _turn(name, least_seconds, running, results):
    answer = running[name].step(least_seconds)
    results[name]["seconds"].append(answer["seconds"])
    _note(results[name], answer)


def _note(result, answer):
    result |= {key: answer[key] for key in ("result", "peak_bytes", "device_peak_bytes")}


def turns(result):
    """Mean seconds of a step in each turn; an empty array if nothing was measured."""
    return np.array([np.mean(steps) for steps in result.get("seconds", ())])


def peak(result):
    """Peak bytes, of the GPU's memory where the work is there; 0 if nothing was measured."""
    return result.get("device_peak_bytes") or result.get("peak_bytes", 0)
