#!/usr/bin/env python3
"""The same network, loss and optimizer in PyTorch, as a peer for the bench.

Usage: pytorch_peer.py THREADS [RANK PROCESSES FILE]

With RANK, this is one of several processes that train together (DistributedDataParallel over gloo, which meet at FILE).
Prints "ready <version>" once, then for each line "gradients <images> <steps>" or "training <batch> <steps>" on standard
input the seconds that so many steps took: forward and backward passes only, or whole training steps with Adam on data in
memory. The batch is that of all processes together.
"""
import sys, time
import torch, torch.nn as nn, torch.nn.functional as F

IMAGES = 16384

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(1)
net = nn.Sequential(
    nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)
processes = 1
if len(sys.argv) > 2:
    import torch.distributed as dist

    rank, processes = int(sys.argv[2]), int(sys.argv[3])
    dist.init_process_group("gloo", init_method=f"file://{sys.argv[4]}", rank=rank, world_size=processes)
    net = nn.parallel.DistributedDataParallel(net)
optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
images, labels = torch.randn(IMAGES, 1, 32, 32), torch.randint(0, 10, (IMAGES,))


def gradients(x, y):
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(net(x), y).backward()


print("ready", torch.__version__, flush=True)
for line in sys.stdin:
    what, size, steps = line.split()[0], *map(int, line.split()[1:])
    size //= processes
    if processes > 1:
        dist.barrier()
    start = time.perf_counter()
    for step in range(steps):
        first = step * size % (IMAGES - size + 1)
        gradients(images[first:first + size], labels[first:first + size])
        if what == "training":
            optimizer.step()
    if processes > 1:
        dist.barrier()
    print(time.perf_counter() - start, flush=True)
