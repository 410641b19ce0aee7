//! Which samples a step sees.

use rand::seq::SliceRandom;

use super::{Purpose, random};

/// Returns the positions of the samples of `step`, out of `count` samples, which must be above 0. Each epoch has every
/// sample once, in an order of its own; batches run on over the end of an epoch.
pub fn batch(count: usize, batch_size: usize, seed: u64, step: u64) -> Vec<usize> {
    let first = step * batch_size as u64;
    let mut known: Option<(u64, Vec<usize>)> = None;
    let mut order = |epoch: u64, at: usize| match &known {
        Some((of, order)) if *of == epoch => order[at],
        _ => {
            let order = shuffled(count, seed, epoch);
            let sample = order[at];
            known = Some((epoch, order));
            sample
        }
    };
    (first..first + batch_size as u64)
        .map(|position| order(position / count as u64, (position % count as u64) as usize))
        .collect()
}

fn shuffled(count: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut random(seed, Purpose::Order, epoch, 0));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_epoch_has_every_sample_once(count in 1usize..50, batch_size in 1usize..9, seed: u64) {
            let steps = (2 * count).div_ceil(batch_size) as u64;
            let seen: Vec<usize> = (0..steps).flat_map(|step| batch(count, batch_size, seed, step)).collect();
            for epoch in seen.chunks_exact(count) {
                let mut sorted = epoch.to_vec();
                sorted.sort_unstable();
                prop_assert_eq!(sorted, (0..count).collect::<Vec<_>>());
            }
        }
    }
}
