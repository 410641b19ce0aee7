//! A value as an arrangement of channels, and the effect of moving them.

use std::collections::HashSet;

/// The number of one computed channel, unique in the whole network.
pub(super) type Channel = usize;

/// A value as an array of channels, each of them an image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ChannelView {
    /// Dimensions before height and width; [1, C] for an image tensor.
    pub lead: Vec<usize>,
    /// In row-major order of `lead`.
    pub channels: Vec<Channel>,
    /// Height and width in pixels.
    pub size: [u64; 2],
    /// Whether the dimensions after `lead` are height and width, rather than their product.
    pub two_dimensional: bool,
}

impl ChannelView {
    /// Returns an image tensor of these channels.
    pub fn image(channels: Vec<Channel>, size: [u64; 2]) -> Self {
        Self {
            lead: vec![1, channels.len()],
            channels,
            size,
            two_dimensional: true,
        }
    }

    /// Returns whether the value has the form [1, C, H, W], which convolutions take.
    pub fn is_image(&self) -> bool {
        self.lead.len() == 2 && self.lead[0] == 1 && self.two_dimensional
    }

    /// Returns whether no channel occurs twice.
    pub fn is_distinct(&self) -> bool {
        let mut seen = HashSet::new();
        self.channels.iter().all(|channel| seen.insert(channel))
    }

    /// Returns the number of dimensions.
    pub fn rank(&self) -> usize {
        self.lead.len() + self.trailing()
    }

    fn trailing(&self) -> usize {
        if self.two_dimensional { 2 } else { 1 }
    }

    /// Returns the value with only those channels whose index along `axis` is in `indices`, in that
    /// order; `None` if an index or the axis is out of range.
    pub fn picked(&self, axis: usize, indices: &[usize]) -> Option<Self> {
        let count = *self.lead.get(axis)?;
        let inner: usize = self.lead[axis + 1..].iter().product();
        let outer: usize = self.lead[..axis].iter().product();
        if indices.iter().any(|&index| index >= count) {
            return None;
        }
        let mut channels = Vec::with_capacity(outer * indices.len() * inner);
        for o in 0..outer {
            for index in indices {
                let start = (o * count + index) * inner;
                channels.extend_from_slice(self.channels.get(start..start + inner)?);
            }
        }
        let mut lead = self.lead.clone();
        lead[axis] = indices.len();
        Some(Self {
            lead,
            channels,
            ..*self
        })
    }

    /// Returns the same channels under another shape; `None` unless its last dimensions are height
    /// and width, or their product.
    pub fn reshaped(&self, shape: &[u64]) -> Option<Self> {
        let [height, width] = self.size;
        let (lead, two_dimensional) = match shape {
            [lead @ .., h, w] if [*h, *w] == self.size => (lead, true),
            [lead @ .., flat] if *flat == height.checked_mul(width)? => (lead, false),
            _ => return None,
        };
        let lead: Vec<usize> = lead.iter().map(|&dim| dim as usize).collect();
        (lead.iter().product::<usize>() == self.channels.len()).then(|| Self {
            lead,
            channels: self.channels.clone(),
            size: self.size,
            two_dimensional,
        })
    }

    /// Returns the channels in the order of a transposition; `None` unless it leaves height and
    /// width in their places.
    pub fn transposed(&self, perm: &[i64]) -> Option<Self> {
        let rank = self.lead.len();
        let (front, back) = perm.split_at_checked(rank)?;
        if !back.iter().copied().eq(rank as i64..self.rank() as i64) {
            return None;
        }
        let front: Vec<usize> = front
            .iter()
            .map(|&axis| usize::try_from(axis))
            .collect::<Result<_, _>>()
            .ok()?;
        let mut sorted = front.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..rank) {
            return None;
        }
        let mut strides = vec![1; rank];
        for axis in (1..rank).rev() {
            strides[axis - 1] = strides[axis] * self.lead[axis];
        }
        let lead: Vec<usize> = front.iter().map(|&axis| self.lead[axis]).collect();
        let from = |mut index: usize| {
            let mut offset = 0;
            for (&axis, &dim) in front.iter().zip(&lead).rev() {
                offset += index % dim * strides[axis];
                index /= dim;
            }
            self.channels[offset]
        };
        let channels = (0..self.channels.len()).map(from).collect();
        Some(Self {
            lead,
            channels,
            ..*self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn six_channels() -> ChannelView {
        ChannelView::image((0..6).collect(), [4, 5])
    }

    #[test]
    fn reshape_transpose_reshape_shuffles() {
        let grouped = six_channels().reshaped(&[1, 2, 3, 4, 5]).unwrap();
        assert!(!grouped.is_image());
        let swapped = grouped.transposed(&[0, 2, 1, 3, 4]).unwrap();
        let shuffled = swapped.reshaped(&[1, 6, 4, 5]).unwrap();
        assert!(shuffled.is_image());
        assert_eq!(shuffled.channels, [0, 3, 1, 4, 2, 5]);
    }

    #[test]
    fn height_and_width_may_be_one_dimension() {
        let grouped = six_channels().reshaped(&[3, 2, 20]).unwrap();
        assert_eq!(grouped.rank(), 3);
        let swapped = grouped.transposed(&[1, 0, 2]).unwrap();
        assert_eq!(swapped.channels, [0, 2, 4, 1, 3, 5]);
        assert!(swapped.reshaped(&[1, 6, 4, 5]).unwrap().is_image());
    }

    #[test]
    fn channels_and_pixels_stay_apart() {
        let image = six_channels();
        assert_eq!(image.reshaped(&[1, 12, 2, 5]), None);
        assert_eq!(image.reshaped(&[1, 7, 4, 5]), None);
        assert_eq!(image.transposed(&[0, 2, 3, 1]), None);
        assert_eq!(image.transposed(&[0, 0, 2, 3]), None);
        assert_eq!(image.transposed(&[0, -1, 2, 3]), None);
        assert_eq!(image.transposed(&[0]), None);
    }

    #[test]
    fn picked_channels_keep_their_order_and_may_repeat() {
        let image = six_channels();
        let picked = image.picked(1, &[5, 0, 5]).unwrap();
        assert_eq!(
            (&picked.channels[..], picked.is_distinct()),
            (&[5, 0, 5][..], false)
        );
        assert_eq!(image.picked(1, &[6]), None);
        assert_eq!(image.picked(2, &[0]), None);
        let odd = image.reshaped(&[3, 2, 4, 5]).unwrap().picked(1, &[1]);
        assert_eq!(odd.unwrap().channels, [1, 3, 5]);
    }
}
