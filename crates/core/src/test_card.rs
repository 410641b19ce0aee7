//! A generated image on which a model is tested before there are frames.

/// Returns the level of one channel (0 to 2) of the pixel at (`x`, `y`): gradients, discs of one
/// colour and a little noise, so that every layer has something to do. The result is the same on
/// every machine.
pub fn level(x: u32, y: u32, channel: u32) -> u8 {
    let slope = (x * (channel + 1) + y * (3 - channel)) / 4 % 256;
    let (cell_x, cell_y) = (x % 96, y % 96);
    let from_centre = cell_x.abs_diff(48).pow(2) + cell_y.abs_diff(48).pow(2);
    let disc = (from_centre < 30 * 30).then(|| 60 + 70 * ((x / 96 + y / 96 + channel) % 3));
    let noise = (x.wrapping_mul(374_761_393) ^ y.wrapping_mul(668_265_263) ^ channel)
        .wrapping_mul(2_246_822_519)
        >> 28;
    // at most 200 or 255, then at most 255
    disc.unwrap_or(slope).saturating_add(noise).min(255) as u8
}

/// Returns BGR pixels, row by row without padding.
pub fn pixels(width: u32, height: u32) -> Vec<u8> {
    (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |channel| level(x, y, channel))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_large_as_asked_and_not_flat() {
        let card = pixels(64, 48);
        assert_eq!(card.len(), 3 * 64 * 48);
        let mean = card.iter().map(|&level| u64::from(level)).sum::<u64>() / card.len() as u64;
        assert!((40..200).contains(&mean), "{mean}");
        assert_ne!(card[..3 * 64], card[3 * 64..6 * 64]);
    }
}
