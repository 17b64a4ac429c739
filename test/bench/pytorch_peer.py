#!/usr/bin/env python3
"""The same network in PyTorch on one thread, as a peer for engine.bench.ts.

Prints "ready <version>" once, then for each line "<images> <steps>" on standard input the seconds that so many forward
and backward passes took.
"""
import sys, time
import torch, torch.nn as nn, torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(1)
net = nn.Sequential(
    nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)
print("ready", torch.__version__, flush=True)
batches = {}
for line in sys.stdin:
    images, steps = map(int, line.split())
    if images not in batches:
        batches[images] = torch.randn(images, 1, 32, 32), torch.randint(0, 10, (images,))
    x, y = batches[images]
    start = time.perf_counter()
    for _ in range(steps):
        net.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), y).backward()
    print(time.perf_counter() - start, flush=True)
