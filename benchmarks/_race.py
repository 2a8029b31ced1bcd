"""Contestants that take turns: A B C A B C ..., each in a process of its own."""

import time
from dataclasses import dataclass, field

import numpy as np
from _workers import IN_A_ROW, RESERVE, MemoryShortageError, Worker, WorkerError, available_memory

# For threads of the one before to go to sleep.
PAUSE_SECONDS = 0.1
# A worker that was stopped with this share of the memory that is free without the others would not
# fit alone either.
ROOM_SHARE = 0.8


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

    Who runs out of memory that others hold while they wait, is measured alone at the end.

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
        `result`. `alone` is true of those measured alone, `stopped_bytes` is what those had that
        did not fit.
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
    """The workers that are running, and what is known of everyone."""

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
        """Do it; if the worker is gone, the others go on."""
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
