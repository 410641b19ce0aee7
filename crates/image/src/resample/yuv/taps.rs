//! Computes the two source lines of each line of a resized component, and their weights.

use crate::resample::taps::positions;
use crate::yuv::Coding;

/// The sources of one column or row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tap {
    /// Two neighbouring columns or rows of the component, or the same one twice.
    pub lines: [usize; 2],
    /// The weight of the second, as a fraction of 15 bits. The first has the rest.
    pub part: i16,
}

/// The columns or the rows of an image and of its result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side {
    /// The number of luma lines before the image.
    pub origin: u32,
    /// The number of luma lines of the image, at least 1.
    pub from: u32,
    /// The number of lines of the result.
    pub to: u32,
    /// The number of luma lines that share a line of the component.
    pub sharing: u32,
    pub coding: Coding,
}

impl Side {
    /// Replaces `taps` by those of each line of the result, in order.
    pub fn write_taps(&self, taps: &mut Vec<Tap>) {
        taps.clear();
        let sharing = self.sharing as usize;
        let (start, last) = (self.origin as usize, self.origin + self.from - 1);
        let (least, most) = (start / sharing, last as usize / sharing);
        let tap = |first: i64, part: f32| {
            let line = |line: i64| usize::try_from(line).unwrap_or(0).clamp(least, most);
            Tap {
                lines: [line(first), line(first + 1)],
                part: (part * 32_768.0).round().min(32_767.0) as i16,
            }
        };
        let luma = positions(self.from as usize, self.to as usize);
        match self.coding {
            // the taps of the pixels, each with the chroma of its block
            Coding::Video => taps.extend(luma.map(|(first, part)| {
                let pixel = |line: i64| {
                    let line = usize::try_from(line).unwrap_or(0);
                    (start + line.min(self.from as usize - 1)) / sharing
                };
                Tap {
                    lines: [pixel(first), pixel(first + 1)],
                    ..tap(first, part)
                }
            })),
            // a chroma sample lies in the middle of its block
            Coding::Jpeg if sharing > 1 => {
                let scale = f64::from(self.from) / f64::from(self.to);
                taps.extend((0..self.to).map(|line| {
                    let luma = f64::from(self.origin) + (f64::from(line) + 0.5) * scale;
                    let centre = luma / sharing as f64 - 0.5;
                    let first = centre.floor();
                    tap(first as i64, (centre - first) as f32)
                }));
            }
            Coding::Jpeg => {
                taps.extend(luma.map(|(first, part)| tap(first + i64::from(self.origin), part)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taps(coding: Coding, sharing: u32, origin: u32, from: u32, to: u32) -> Vec<Tap> {
        let mut taps = Vec::new();
        let side = Side {
            origin,
            from,
            to,
            sharing,
            coding,
        };
        side.write_taps(&mut taps);
        taps
    }

    fn tap(first: usize, second: usize, part: f32) -> Tap {
        Tap {
            lines: [first, second],
            part: (part * 32_768.0).min(32_767.0) as i16,
        }
    }

    #[test]
    fn chroma_of_jpeg_lies_between_its_pixels() {
        // four pixels and two samples, at the pixels' size: quarters of the way between the samples
        let found = taps(Coding::Jpeg, 2, 0, 4, 4);
        let expected = [
            tap(0, 0, 0.75),
            tap(0, 1, 0.25),
            tap(0, 1, 0.75),
            tap(1, 1, 0.25),
        ];
        assert_eq!(found, expected);
        // a last sample of one pixel is still in the middle of two
        assert_eq!(taps(Coding::Jpeg, 2, 0, 3, 3)[2], tap(0, 1, 0.75));
    }

    #[test]
    fn pixels_of_video_share_the_chroma_of_their_block() {
        let found = taps(Coding::Video, 2, 0, 8, 4);
        let expected = [0, 1, 2, 3].map(|block| tap(block, block, 0.5));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_part_reads_only_its_own_lines() {
        for coding in [Coding::Jpeg, Coding::Video] {
            for sharing in [1, 2] {
                for to in [1, 3, 7, 40] {
                    let taps = taps(coding, sharing, 5, 6, to);
                    let lines = taps.iter().flat_map(|tap| tap.lines);
                    let within = (5 / sharing as usize)..=(10 / sharing as usize);
                    assert!(lines.clone().all(|line| within.contains(&line)));
                    if to > 6 {
                        assert_eq!(lines.max(), Some(*within.end()), "{coding:?} {sharing}");
                    }
                }
            }
        }
    }
}
