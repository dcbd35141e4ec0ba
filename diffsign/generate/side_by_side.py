"""Several windows at once, where networks are too small to keep the cores busy with one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")
Worker = TypeVar("Worker")


def side_by_side(
    work: Callable[[Worker, Item], Result], items: Iterable[Item], workers: Iterable[Worker]
) -> Iterator[Result]:
    """Yield ``work(worker, item)`` for every item in order, one item at a time with each worker.

    PyTorch computes every item with a single thread, so that results do not depend on the number of workers. Items are
    read only as workers become free.
    """
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)
    count = free.qsize()

    def with_a_free_one(item: Item) -> Result:
        worker = free.get()
        try:
            return work(worker, item)
        finally:
            free.put(worker)

    running: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for item in items:
                if len(running) == count:
                    yield running.popleft().result()
                running.append(pool.submit(with_a_free_one, item))
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
