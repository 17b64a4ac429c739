#!/usr/bin/env python3
"""Reads a lockstep checkpoint as any PyTorch user would, and evaluates it. Needs torch, numpy and safetensors.

    python3 pytorch_checkpoint.py CHECKPOINT IMAGES LABELS COUNT LOGITS

IMAGES holds float32 values [n, 32, 32], LABELS bytes [n]. The logits of the first COUNT images go to LOGITS as float32
[COUNT, 10], and one line of JSON to stdout: the checkpoint's metadata, and the errors over all images.
"""
import json, sys
import numpy as np, torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))
        x = self.pool(torch.relu(self.bn2(self.conv2(x))))
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc3(torch.relu(self.fc2(x)))


def main(checkpoint, images, labels, count, logits):
    with safe_open(checkpoint, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(checkpoint)
    model = LeNet5()
    # Strictly: each tensor must be there in its shape, and none may be left over.
    model.load_state_dict({k: v for k, v in tensors.items() if not k.startswith(("latest.", "adam."))})
    LeNet5().load_state_dict({k.removeprefix("latest."): v for k, v in tensors.items() if k.startswith("latest.")})
    model.eval()
    x = torch.from_numpy(np.fromfile(images, "<f4").reshape(-1, 1, 32, 32))
    y = torch.from_numpy(np.fromfile(labels, np.uint8).astype(np.int64))
    with torch.no_grad():
        out = torch.cat([model(part) for part in x.split(1000)])
    out[: int(count)].numpy().astype("<f4").tofile(logits)
    print(json.dumps(dict(metadata=metadata, errors=int((out.argmax(1) != y).sum()), samples=len(y))))


main(*sys.argv[1:])
