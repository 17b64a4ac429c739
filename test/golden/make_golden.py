#!/usr/bin/env python3
"""Writes the golden files: what PyTorch computes, in float64, for inputs that golden.ts makes from the same formulas.

    python3 test/golden/make_golden.py        (needs torch and numpy; made with torch 1.13)

Each file holds one case as JSON; arrays are base64 of little-endian float32. Small gradients are stored whole. Of the
two large ones (fc1.weight, fc2.weight) every 16th value is stored, and for all tensors the Euclidean norm and the sums
with four vectors of random signs, which every single value enters.
"""
import base64, json, os
import numpy as np, torch
import torch.nn.functional as F

torch.set_num_threads(1)
FOLDER = os.path.dirname(os.path.abspath(__file__))
TABLE = [  # name, shape, fan-in
    ("conv1.weight", (6, 1, 5, 5), 25), ("conv1.bias", (6,), 25), ("bn1.weight", (6,), 0), ("bn1.bias", (6,), 0),
    ("conv2.weight", (16, 6, 5, 5), 150), ("conv2.bias", (16,), 150), ("bn2.weight", (16,), 0), ("bn2.bias", (16,), 0),
    ("fc1.weight", (120, 400), 400), ("fc1.bias", (120,), 400), ("fc2.weight", (84, 120), 120), ("fc2.bias", (84,), 120),
    ("fc3.weight", (10, 84), 84), ("fc3.bias", (10,), 84),
]
SAMPLED = {"fc1.weight", "fc2.weight"}
SAMPLE_STRIDE = 16
EVALUATED_IMAGES = 16
BACKGROUND = (0 - 0.1307) / 0.3081
# streams of random numbers
PARAMETERS, PIXELS, BOXES, LABELS, MEANS, VARIANCES, SIGNS = range(7)

CASES = [
    dict(name="batch-1", seed=1, count=1, globalCount=1, negativeGammas=False, ties=False),
    dict(name="batch-7", seed=2, count=7, globalCount=7, negativeGammas=True, ties=False),
    dict(name="batch-32", seed=3, count=32, globalCount=32, negativeGammas=False, ties=False),
    dict(name="batch-32-of-64", seed=4, count=32, globalCount=64, negativeGammas=True, ties=False),
    dict(name="batch-64", seed=5, count=64, globalCount=64, negativeGammas=True, ties=False),
    dict(name="batch-128", seed=6, count=128, globalCount=128, negativeGammas=False, ties=False),
    dict(name="ties", seed=7, count=7, globalCount=7, negativeGammas=True, ties=True),
    dict(name="smoothed", seed=8, count=9, globalCount=16, negativeGammas=True, ties=False, labelSmoothing=0.1),
]


def mix(x):
    """lowbias32: a bijection of 32-bit numbers that scatters well (C. Wellons, hash-prospector)."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def bits(seed, stream, count):
    """32 random bits for each index 0 to count - 1."""
    key = mix(mix(np.array([seed], np.uint32)) + np.uint32(stream))
    return mix(key + np.arange(count, dtype=np.uint32))


def uniform(seed, stream, count):
    """Float64 numbers in [0, 1) that are whole multiples of 2^-24."""
    return (bits(seed, stream, count) >> np.uint32(8)).astype(np.float64) / 2**24


def make_parameters(case):
    total = sum(int(np.prod(shape)) for _, shape, _ in TABLE)
    u = uniform(case["seed"], PARAMETERS, total)
    out, offset = {}, 0
    for name, shape, fan_in in TABLE:
        n = int(np.prod(shape))
        v = u[offset:offset + n]
        if fan_in:
            values = (2 * v - 1) / np.sqrt(float(fan_in))
        elif name.endswith(".weight"):  # gamma: 0.5 to 1.5; where asked, the upper half becomes negative
            values = np.where((v >= 0.5) & case["negativeGammas"], -1, 1) * (0.5 + v)
        else:
            values = 0.4 * (v - 0.5)
        out[name] = values.astype(np.float32).reshape(shape)
        offset += n
    if case["ties"]:
        # A filter of zeros answers alike everywhere: all of its pooling windows tie, and the first position must win.
        for layer, channel in (("1", 2), ("2", 5)):
            out[f"conv{layer}.weight"][channel] = 0
            out[f"conv{layer}.bias"][channel] = 0.125
            out[f"bn{layer}.bias"][channel] = 0.25
    return out


def make_images(case):
    """Noise in a box on a flat background, whose size and place differ by image; image 1 is background alone."""
    n = case["count"]
    u = uniform(case["seed"], PIXELS, n * 1024).reshape(n, 32, 32)
    box = bits(case["seed"], BOXES, n * 4).reshape(n, 4)
    top, left = box[:, 0] % 12, box[:, 1] % 12
    bottom, right = top + 8 + box[:, 2] % 12, left + 8 + box[:, 3] % 12
    row, column = np.arange(32)[None, :, None], np.arange(32)[None, None, :]
    at = lambda edge: edge.astype(np.int64)[:, None, None]
    inside = (row >= at(top)) & (row < at(bottom)) & (column >= at(left)) & (column < at(right))
    inside[1:2] = False
    return np.where(inside, 3.25 * u + BACKGROUND, BACKGROUND).astype(np.float32)


def network(p, x, statistics):
    for layer in ("1", "2"):
        x = F.conv2d(x, p[f"conv{layer}.weight"], p[f"conv{layer}.bias"])
        mean, variance = statistics[layer] if statistics else (None, None)
        x = F.batch_norm(x, mean, variance, p[f"bn{layer}.weight"], p[f"bn{layer}.bias"], statistics is None, 0.1, 1e-5)
        x = F.max_pool2d(F.relu(x), 2)
    x = F.relu(F.linear(x.flatten(1), p["fc1.weight"], p["fc1.bias"]))
    x = F.relu(F.linear(x, p["fc2.weight"], p["fc2.bias"]))
    return F.linear(x, p["fc3.weight"], p["fc3.bias"])


def encode(values):
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def make(case):
    seed, n = case["seed"], case["count"]
    p = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in make_parameters(case).items()}
    x = torch.tensor(make_images(case), dtype=torch.float64).unsqueeze(1)
    labels = torch.tensor((bits(seed, LABELS, n) % 10).astype(np.int64))
    logits = network(p, x, None)
    smoothing = case.get("labelSmoothing", 0.0)
    loss_sum = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)
    (loss_sum / case["globalCount"]).backward()

    statistics, h = [], x
    with torch.no_grad():
        for layer in ("1", "2"):
            h = F.conv2d(h, p[f"conv{layer}.weight"], p[f"conv{layer}.bias"])
            statistics.append((h.mean((0, 2, 3)), h.var((0, 2, 3), unbiased=False)))
            h = F.batch_norm(h, None, None, p[f"bn{layer}.weight"], p[f"bn{layer}.bias"], True, 0.1, 1e-5)
            h = F.max_pool2d(F.relu(h), 2)
        means = torch.tensor((0.4 * (uniform(seed, MEANS, 22) - 0.5)).astype(np.float32), dtype=torch.float64)
        variances = torch.tensor((0.5 + uniform(seed, VARIANCES, 22)).astype(np.float32), dtype=torch.float64)
        running = {"1": (means[:6], variances[:6]), "2": (means[6:], variances[6:])}
        evaluated = network(p, x[:EVALUATED_IMAGES], running)

    gradients, offset = {}, 0
    for name, shape, _ in TABLE:
        g = p[name].grad.numpy().reshape(-1)
        signs = [np.where(bits(seed, SIGNS + i, g.size) & 1, 1.0, -1.0) for i in range(4)]
        gradients[name] = dict(
            stride=SAMPLE_STRIDE if name in SAMPLED else 1,
            values=encode(g[::SAMPLE_STRIDE] if name in SAMPLED else g),
            largest=float(np.abs(g).max()),
            norm=float(np.sqrt((g * g).sum())),
            signedSums=encode([(g * s).sum() for s in signs]),
        )
    golden = dict(
        case, lossSum=float(loss_sum), correct=int((logits.argmax(1) == labels).sum()),
        batchMean=encode(torch.cat([s[0] for s in statistics]).numpy()),
        batchVar=encode(torch.cat([s[1] for s in statistics]).numpy()),
        evaluatedLogits=encode(evaluated.numpy()), gradients=gradients,
    )
    with open(os.path.join(FOLDER, case["name"] + ".json"), "w") as file:
        json.dump(golden, file, indent=2)
        file.write("\n")


for each in CASES:
    make(each)
