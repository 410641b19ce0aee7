#!/usr/bin/env python3
"""The training step of crates/train/benches/step.rs in plain PyTorch, and the ratio of both.

FastestDet with a ShuffleNet V2 0.5x backbone and five classes at 352x352, channels last, pictures of noise: network, loss
(8 SIoU, 16 smooth L1 of the objectness, cross entropy), gradients limited to a norm of 10, AdamW, and the average of the
weights. Without --step it prints one JSON object: {"pictures_per_s", "peak_mib", "weights"}. With --step, the program of
step.rs, it runs both in turn and prints a table. This builds the program:

    cargo bench --manifest-path crates/train/Cargo.toml --target-dir target/train --bench step --no-run

    training.py --threads 1 [--pictures 16] [--steps 10]
    training.py --step target/train/release/deps/step-HASH [--runs 3] [--pictures 16] [--steps 10]
"""

import argparse
import json
import resource
import subprocess
import sys
import time

SIDE, CLASSES, STRIDE, WARM_UP = 352, 5, 16, 3


def network():
    """Returns FastestDet: objectness, box and classes on one map of stride 16."""
    import torch
    from torch import nn

    def conv(inputs, outputs, kernel=1, stride=1, groups=1, relu=True):
        layers = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))

    def depthwise(channels, kernel, stride=1, relu=True):
        return conv(channels, channels, kernel, stride, channels, relu)

    class Unit(nn.Module):
        def __init__(self, inputs, half, stride):
            super().__init__()
            self.branch = nn.Sequential(
                conv(inputs, half), depthwise(half, 3, stride, relu=False), conv(half, half)
            )
            self.short = None
            if stride == 2:
                self.short = nn.Sequential(depthwise(inputs, 3, 2, relu=False), conv(inputs, half))

        def forward(self, x):
            if self.short is not None:
                return torch.cat([self.short(x), self.branch(x)], 1)
            # even and odd channels: shuffle and split in one
            return torch.cat([x[:, 0::2], self.branch(x[:, 1::2])], 1)

    class FastestDet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(conv(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1))
            stages, inputs = [], 24
            for channels, units in ((48, 4), (96, 8), (192, 4)):
                first = Unit(inputs, channels // 2, 2)
                rest = [Unit(channels // 2, channels // 2, 1) for _ in range(units - 1)]
                stages.append(nn.Sequential(first, *rest))
                inputs = channels
            self.stages = nn.ModuleList(stages)
            self.entry = conv(48 + 96 + 192, 96)
            rows = [nn.Sequential(*(depthwise(96, 5) for _ in range(n))) for n in (1, 2, 3)]
            self.rows = nn.ModuleList(rows)
            self.end = conv(3 * 96, 96, relu=False)
            self.shared = conv(96, 96)
            self.branches = nn.ModuleList(
                nn.Sequential(depthwise(96, 5), conv(96, outputs, relu=False))
                for outputs in (1, 4, CLASSES)
            )

        def forward(self, x):
            x = self.stem(x)
            second = self.stages[0](x)
            third = self.stages[1](second)
            fourth = self.stages[2](third)
            fourth = nn.functional.interpolate(fourth, scale_factor=2, mode="nearest")
            second = nn.functional.avg_pool2d(second, 3, 2, 1)
            entry = self.entry(torch.cat([second, third, fourth], 1))
            x = self.end(torch.cat([row(entry) for row in self.rows], 1))
            x = self.shared(torch.relu(entry + x))
            return torch.cat([branch(x) for branch in self.branches], 1)

    return FastestDet()


def objects(pictures):
    """Returns the boxes of step.rs: picture, class, centre and sides in cells."""
    rows = []
    for picture in range(pictures):
        for thing in range(3):
            left = 37 * (picture + 3 * thing) % 200
            top = 53 * (picture + 5 * thing) % 200
            width, height = 40 + 30 * thing, 60
            box = [left + width / 2, top + height / 2, width, height]
            rows.append([picture, (picture + thing) % CLASSES, *(side / STRIDE for side in box)])
    return rows


def siou(a, b):
    import torch

    ax1, ay1, ax2, ay2 = (a[:, 0] - a[:, 2] / 2, a[:, 1] - a[:, 3] / 2, a[:, 0] + a[:, 2] / 2, a[:, 1] + a[:, 3] / 2)
    bx1, by1, bx2, by2 = (b[:, 0] - b[:, 2] / 2, b[:, 1] - b[:, 3] / 2, b[:, 0] + b[:, 2] / 2, b[:, 1] + b[:, 3] / 2)
    overlap = (torch.min(ax2, bx2) - torch.max(ax1, bx1)).clamp(0) * (
        torch.min(ay2, by2) - torch.max(ay1, by1)
    ).clamp(0)
    iou = overlap / (a[:, 2] * a[:, 3] + b[:, 2] * b[:, 3] - overlap + 1e-7)
    width = torch.max(ax2, bx2) - torch.min(ax1, bx1) + 1e-7
    height = torch.max(ay2, by2) - torch.min(ay1, by1) + 1e-7
    dx, dy = b[:, 0] - a[:, 0], b[:, 1] - a[:, 1]
    gamma = 2 * (dx * dy).abs() / (dx * dx + dy * dy + 1e-7) - 2
    distance = 2 - (gamma * (dx / width) ** 2).exp() - (gamma * (dy / height) ** 2).exp()
    shape = sum(
        (1 - (-(a[:, side] - b[:, side]).abs() / torch.max(a[:, side], b[:, side])).exp()) ** 4 for side in (2, 3)
    )
    return iou - (distance + shape) / 2


def loss(output, things):
    import torch
    from torch.nn import functional

    pictures, channels, rows, columns = output.shape
    flat = output.permute(0, 2, 3, 1).reshape(-1, channels)
    corners = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]])
    cells = things[:, None, 2:4].long() + corners
    inside = (cells[..., 0] < columns) & (cells[..., 1] < rows)
    things, cells = things[:, None].expand(-1, 4, -1)[inside], cells[inside]
    place = things[:, 0].long() * rows * columns + cells[:, 1] * columns + cells[:, 0]
    at = flat[place]
    found = torch.cat([at[:, 1:3].tanh() + cells, at[:, 3:5].sigmoid() * SIDE / STRIDE], 1)
    overlap = siou(found, things[:, 2:])
    best = overlap >= overlap.mean()
    wanted, weights = torch.zeros(len(flat)), torch.full((len(flat),), 0.75)
    count = torch.bincount(things[best, 0].long(), minlength=pictures)
    wanted[place[best]] = overlap[best].detach().clamp(0, 1)
    weights[place[best]] = 0.25 * rows * columns / count[things[best, 0].long()]
    objectness = functional.smooth_l1_loss(flat[:, 0].sigmoid(), wanted, reduction="none") * weights
    classes = functional.cross_entropy(at[best, 5:], things[best, 1].long())
    return 8 * (1 - overlap[best]).mean() + 16 * objectness.mean() + classes


def measure(threads, pictures, steps):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    net = network().to(memory_format=torch.channels_last).train()
    average = [parameter.detach().clone() for parameter in net.parameters()]
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.05)
    images = torch.rand(pictures, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    things = torch.tensor(objects(pictures))
    begun = time.perf_counter()
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            begun = time.perf_counter()
        optimiser.zero_grad()
        loss(net(images), things).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, list(net.parameters()), 0.01)
    speed = pictures * steps / (time.perf_counter() - begun)
    return {
        "pictures_per_s": round(speed, 2),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "weights": sum(parameter.numel() for parameter in net.parameters()),
    }


def figures(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(arguments):
    numbers = [arguments.pictures, arguments.steps]
    print(f"{'threads':>7} {'shuffledet-train':>17} {'PyTorch':>8} {'ratio':>6}   pictures/s, the best of {arguments.runs}")
    for threads in (1, 2):
        ours, theirs = [], []
        for _ in range(arguments.runs):
            ours.append(figures([arguments.step, *map(str, [threads, *numbers])]))
            options = ["--threads", threads, "--pictures", numbers[0], "--steps", numbers[1]]
            theirs.append(figures([sys.executable, __file__, *map(str, options)]))
        if ours[0]["weights"] != theirs[0]["weights"]:
            sys.exit(f"the networks differ: {ours[0]['weights']} and {theirs[0]['weights']} weights")
        best = [max(run["pictures_per_s"] for run in runs) for runs in (ours, theirs)]
        memory = [max(run["peak_mib"] for run in runs) for runs in (ours, theirs)]
        print(
            f"{threads:7} {best[0]:17.1f} {best[1]:8.1f} {best[0] / best[1]:5.2f}x"
            f"   peak memory {memory[0]} and {memory[1]} MiB"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", help="the program of crates/train/benches/step.rs")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.step:
        compare(arguments)
    else:
        print(json.dumps(measure(arguments.threads, arguments.pictures, arguments.steps)))


if __name__ == "__main__":
    main()
