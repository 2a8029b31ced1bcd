"""A race: contestants take turns (A B C A B C ...), each in its own process."""

import time
from dataclasses import dataclass, field

import numpy as np
from _workers import IN_A_ROW, RESERVE, MemoryShortageError, Worker, WorkerError, available_memory

# Pause between turns, in which the threads of the previous contestant go to sleep.
PAUSE_SECONDS = 0.1
# A worker that was stopped with this share of the memory that is free without the others would not
# fit alone either.
ROOM_SHARE = 0.8


@dataclass(frozen=True)
class Contestant:
    """One row of a race.

    Attributes:
        label: Name in the table.
        module: Module in this folder that has the function `prepare`.
        prepare: Name of the function from settings to `_workers.Prepared`.
        settings: Settings of this function, JSON values.
        environment: Variables of the worker's environment.
        absent: Reason why the contestant cannot run, shown instead of numbers; empty if it can.
    """

    label: str
    module: str
    prepare: str
    settings: dict
    environment: dict = field(default_factory=dict)
    absent: str = ""


def race(contestants, repetitions, threads=2, least_seconds=0.2, warm_up=1):
    """Warm up all contestants, then let them take turns.

    A contestant may lack memory because waiting contestants hold it. It is then measured alone at
    the end.

    Args:
        contestants: Names to `Contestant`.
        repetitions: Turns per contestant.
        threads: Cores that each contestant may use.
        least_seconds: Minimum time of a turn; a turn has at least one step.
        warm_up: Steps before the first turn.

    Returns:
        Names to results. Each has `label` and `status` ("measured", or the reason why there are no
        numbers). A measured contestant also has `seconds` (of the steps of each turn),
        `first_step_seconds`, peak memory before the first step (`start_bytes`) and in total
        (`peak_bytes`, `device_peak_bytes`), `facts` and the last `result`. `alone` is true if it
        was measured alone. `stopped_bytes` is the memory of a contestant that did not fit.
    """
    results = _Race(threads).run(contestants, repetitions, least_seconds, warm_up)
    for name, result in results.items():
        room = available_memory() - RESERVE
        if len(contestants) > 1 and result.get("stopped_bytes", room) < ROOM_SHARE * room:
            entry = {name: contestants[name]}
            alone = _Race(threads).run(entry, repetitions, least_seconds, warm_up)
            results[name] = alone[name] | {"alone": True}
    return results


class _Race:
    """The running workers and the results so far."""

    def __init__(self, threads):
        self.threads, self.workers, self.results = threads, {}, {}

    def run(self, contestants, repetitions, least_seconds, warm_up):
        try:
            for name, contestant in contestants.items():
                status = contestant.absent or "measured"
                self.results[name] = {"label": contestant.label, "status": status}
                if not contestant.absent:
                    self.attempt(self.start, name, contestant, warm_up)
            for _ in range(repetitions):
                for name in list(self.workers):
                    time.sleep(PAUSE_SECONDS)
                    self.attempt(self.turn, name, least_seconds)
        finally:
            for worker in self.workers.values():
                worker.close()
        return self.results

    def attempt(self, action, name, *arguments):
        """Run an action; if the worker has died, the others continue."""
        try:
            action(name, *arguments)
        except WorkerError as error:
            self.results[name] = {"label": self.results[name]["label"], "status": str(error)}
            if isinstance(error, MemoryShortageError):
                self.results[name]["stopped_bytes"] = error.reached
            self.workers.pop(name).close()

    def start(self, name, contestant, warm_up):
        work = contestant.module, contestant.prepare, contestant.settings
        worker = self.workers[name] = Worker(*work, self.threads, contestant.environment)
        ready, result = worker.ready(), self.results[name]
        result |= {"facts": ready["facts"], "start_bytes": ready["peak_bytes"], "seconds": []}
        for _ in range(warm_up):
            answer = worker.step()
            result.setdefault("first_step_seconds", answer["seconds"][0])
            self.note(name, answer)

    def turn(self, name, least_seconds):
        answer = self.workers[name].step(least_seconds)
        self.results[name]["seconds"].append(answer["seconds"])
        self.note(name, answer)

    def note(self, name, answer):
        for key in ("result", "peak_bytes", "device_peak_bytes"):
            self.results[name][key] = answer[key]


def turns(result):
    """Mean seconds of a step in each turn; an empty array if nothing was measured."""
    in_a_row = result.get("facts", {}).get(IN_A_ROW, 1)
    return np.array([np.mean(steps) / in_a_row for steps in result.get("seconds", ())])


def peak(result):
    """Peak bytes, of the GPU's memory where the work is there; 0 if nothing was measured."""
    return result.get("device_peak_bytes") or result.get("peak_bytes", 0)
