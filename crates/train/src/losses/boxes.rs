//! Overlaps of boxes as tensors, N x 4 of left, top, right, bottom.

use tch::Tensor;

const EPSILON: f64 = 1e-7;

/// Returns the generalised intersection over union of each pair, in (-1, 1] (Rezatofighi et al. 2019).
pub fn giou(found: &Tensor, wanted: &Tensor) -> Tensor {
    let [a, b] = [found, wanted].map(|boxes| boxes.unbind(1));
    let side = |low: &Tensor, high: &Tensor| (high - low).clamp_min(0.0);
    let area = |sides: &[Tensor]| side(&sides[0], &sides[2]) * side(&sides[1], &sides[3]);
    let overlap = side(&a[0].maximum(&b[0]), &a[2].minimum(&b[2]))
        * side(&a[1].maximum(&b[1]), &a[3].minimum(&b[3]));
    let union = area(&a) + area(&b) - &overlap;
    let hull = side(&a[0].minimum(&b[0]), &a[2].maximum(&b[2]))
        * side(&a[1].minimum(&b[1]), &a[3].maximum(&b[3]));
    overlap / (&union + EPSILON) - (&hull - &union) / (hull + EPSILON)
}

/// Returns the SIoU of each pair (Gevorgyan 2022): overlap less the costs of distance and shape. The boxes are N x 4 of
/// centre x, centre y, width, height.
pub fn siou(found: &Tensor, wanted: &Tensor) -> Tensor {
    let [a, b] = [found, wanted].map(|boxes| boxes.unbind(1));
    let corners = |of: &[Tensor]| {
        let (half_width, half_height) = (&of[2] / 2.0, &of[3] / 2.0);
        [
            &of[0] - &half_width,
            &of[1] - &half_height,
            &of[0] + half_width,
            &of[1] + half_height,
        ]
    };
    let (p, q) = (corners(&a), corners(&b));
    let overlap = (p[2].minimum(&q[2]) - p[0].maximum(&q[0])).clamp_min(0.0)
        * (p[3].minimum(&q[3]) - p[1].maximum(&q[1])).clamp_min(0.0);
    let union = &a[2] * &a[3] + &b[2] * &b[3] - &overlap + EPSILON;
    let iou = overlap / union;
    let hull_width = p[2].maximum(&q[2]) - p[0].minimum(&q[0]) + EPSILON;
    let hull_height = p[3].maximum(&q[3]) - p[1].minimum(&q[1]) + EPSILON;
    let (dx, dy) = (&b[0] - &a[0], &b[1] - &a[1]);
    // the sine of twice the angle between the centres; 0 where they are one
    let angle = (&dx * &dy).abs() * 2.0 / (&dx * &dx + &dy * &dy + EPSILON);
    let gamma = angle - 2.0;
    let distance: Tensor = 2.0
        - (&gamma * (dx / hull_width).square()).exp()
        - (&gamma * (dy / hull_height).square()).exp();
    let shape = |side: usize| {
        let difference = (&a[side] - &b[side]).abs() / (a[side].maximum(&b[side]) + EPSILON);
        (1f64 - (-difference).exp()).pow_tensor_scalar(4)
    };
    iou - (distance + shape(2) + shape(3)) * 0.5
}
