"""Computes where tracked objects are, from their boxes, as docs/range.md describes it. Imports nothing of shuffledet.

Reads one JSON object from standard input:
  {"camera": {"focal": [fx, fy], "centre": [cx, cy], "size": [width, height], "height_m": number or null,
              "pitch_rad": number, "heights": {class: [metres, spread]}},
   "tracks": [{"class": name, "bbox": [centre x, centre y, width, height], "variances": [of each of them]}]}
Writes a list to standard output: for each track `null`, or {"position": [x, y, z], "covariance": 3x3, "size": [width,
height]} in the optical frame of a level pinhole camera that looks down by the pitch.
"""

import json
import math
import sys

PITCH_SIGMA, SLOPE_SIGMA = 0.008, 0.005
EDGE_PX, EDGE_SHARE, BORDER_PX, CUT_SPREAD, FARTHEST_M = 1.0, 0.02, 2.0, 0.5, 500.0


def join(size, size_share, ground, ground_variance):
    """The mean of two inverse depths, weighted by their variances, and its variance."""

    def mean(value):
        size_variance = (size_share * value) ** 2
        weights = [1 / size_variance, 1 / ground_variance]
        joined = (size * weights[0] + ground * weights[1]) / sum(weights)
        return joined, 1 / sum(weights), size_variance

    first, _, _ = mean(size)
    joined, variance, size_variance = mean(max(first, size / 4))
    contradiction = (size - ground) ** 2 / (size_variance + ground_variance)
    return joined, variance * max(1.0, contradiction)


def locate(camera, track):
    (fx, fy), (cx, cy) = camera["focal"], camera["centre"]
    x, y, width, height = track["bbox"]
    sx, sy, swidth, sheight = (math.sqrt(variance) for variance in track["variances"])
    top, bottom = y - height / 2, y + height / 2
    # an edge is as sure as those of small networks, or as its filter says
    edge_px = max(math.hypot(EDGE_PX, EDGE_SHARE * height), math.hypot(sx, swidth / 2), math.hypot(sy, sheight / 2))
    span = height / fy
    cut_above, cut_below = top < BORDER_PX, bottom > camera["size"][1] - BORDER_PX
    cues = {}
    own = camera["heights"].get(track["class"])
    if own:
        cut = CUT_SPREAD if cut_above or cut_below else 0.0
        share = math.sqrt(own[1] ** 2 + cut**2 + 2 * (edge_px / fy / span) ** 2)
        cues["size"] = (span / own[0], share)
    if camera["height_m"] and not cut_below:
        pitch = camera["pitch_rad"]
        below = (bottom - cy) / fy * math.cos(pitch) + math.sin(pitch)
        angle = (edge_px / fy) ** 2 + PITCH_SIGMA**2 + SLOPE_SIGMA**2
        cues["ground"] = (below / camera["height_m"], angle / camera["height_m"] ** 2)
    if len(cues) == 2:
        inverse, variance = join(*cues["size"], *cues["ground"])
    elif "size" in cues:
        inverse, share = cues["size"]
        variance = (share * inverse) ** 2
    elif cues:
        inverse, variance = cues["ground"]
    else:
        return None
    if not inverse > 1 / FARTHEST_M:
        return None
    depth = 1 / inverse
    ray = [(x - cx) / fx, (y - cy) / fy, 1.0]
    across = [(depth * edge_px / fx) ** 2 / 2, (depth * edge_px / fy) ** 2 / 2, 0.0]
    covariance = [
        [ray[row] * ray[column] * depth**4 * variance + (across[row] if row == column else 0.0) for column in range(3)]
        for row in range(3)
    ]
    tall = own[0] if own else span * depth
    size = [tall * (width / fx) / span, tall]
    return {"position": [depth * part for part in ray], "covariance": covariance, "size": size}


def main():
    request = json.load(sys.stdin)
    json.dump([locate(request["camera"], track) for track in request["tracks"]], sys.stdout)


main()
