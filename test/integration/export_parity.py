#!/usr/bin/env python3
"""What an exported model computes in another program. Needs numpy, and torch and safetensors or onnxruntime.

    python3 export_parity.py torch|torch-folded|onnx MODEL INPUTS SIDE LOGITS

INPUTS holds float32 values [n, 1, SIDE, SIDE]. The logits go to LOGITS as float32 [n, 10], and what the file says about
itself to stdout as JSON.
"""
import json, sys
import numpy as np

# No divisor of 10,000: the last batch has another size than the others.
BATCH = 999


def pytorch(path, is_folded):
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file
    from torch import nn

    class LeNet5(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(1, 6, 5), nn.Identity() if is_folded else nn.BatchNorm2d(6)
            self.conv2, self.bn2 = nn.Conv2d(6, 16, 5), nn.Identity() if is_folded else nn.BatchNorm2d(16)
            self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
            self.pool = nn.MaxPool2d(2)

        def forward(self, x):
            x = self.pool(torch.relu(self.bn1(self.conv1(x))))
            x = self.pool(torch.relu(self.bn2(self.conv2(x))))
            x = torch.relu(self.fc1(x.flatten(1)))
            return self.fc3(torch.relu(self.fc2(x)))

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    model = LeNet5()
    # Strictly: each tensor must be there in its shape, and none may be left over.
    model.load_state_dict(load_file(path))
    model.eval()

    def run(batch):
        with torch.no_grad():
            return model(torch.from_numpy(batch)).numpy()

    return run, dict(metadata=metadata)


def onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    described = session.get_modelmeta()
    (given,) = session.get_inputs()
    about = dict(metadata=described.custom_metadata_map, producer=described.producer_name, input=given.name, shape=given.shape)
    return lambda batch: session.run(["logits"], {given.name: batch})[0], about


def main(kind, path, inputs, side, logits):
    run, about = onnx(path) if kind == "onnx" else pytorch(path, kind == "torch-folded")
    x = np.fromfile(inputs, "<f4").reshape(-1, 1, int(side), int(side))
    out = np.concatenate([run(x[start : start + BATCH]) for start in range(0, len(x), BATCH)])
    assert out.shape == (len(x), 10) and out.dtype == np.float32, (out.shape, out.dtype)
    out.astype("<f4").tofile(logits)
    print(json.dumps(about))


main(*sys.argv[1:])
