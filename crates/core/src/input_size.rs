//! The choice of a network's input resolution for a picture.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::resolution::ResolutionError;
use super::{ResizeMode, Resolution};

/// The parameter `model.input_size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputSize {
    /// The resolution that shows the picture largest ([`largest_view`]).
    Auto,
    /// The resolution that the model was trained at.
    Native,
    /// The same resolution for every picture.
    Fixed(Resolution),
}

/// A text is not an input size.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected auto, native or WIDTHxHEIGHT: {source}")]
pub struct InputSizeError {
    source: ResolutionError,
}

impl FromStr for InputSize {
    type Err = InputSizeError;

    fn from_str(text: &str) -> Result<Self, InputSizeError> {
        match text {
            "auto" => Ok(Self::Auto),
            "native" => Ok(Self::Native),
            other => match other.parse() {
                Ok(resolution) => Ok(Self::Fixed(resolution)),
                Err(source) => Err(InputSizeError { source }),
            },
        }
    }
}

impl fmt::Display for InputSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Native => f.pad("native"),
            Self::Fixed(resolution) => resolution.fmt(f),
        }
    }
}

/// Returns the resolution that shows a picture of `picture` (width, height) largest within a budget
/// of `budget` times the pixels of `native`, for a model trained with `resize`.
///
/// Both sides are multiples of 32 up to 4096. Of all such resolutions within the budget, the result
/// has the greatest scale: the smaller of its width over the picture's and its height over the
/// picture's. Of resolutions with the same scale it has the fewest pixels, so one side decides the
/// scale and the other is the smallest multiple of 32 that does not reduce it. A letterbox model
/// therefore pads less than one step of 32 pixels.
///
/// A model that stretches was trained on pictures that were squeezed: COCO's are 4:3, the inputs are
/// square. So the picture counts with its shape squeezed towards the shape of `native`, by up to
/// 4/3. This keeps the accuracy on pictures as in training; without it NanoDet-Plus-m loses a tenth
/// of its AP on them (`docs/performance.md`).
///
/// A picture in the shape of `native` gets `native` at a budget of 1. If not even 32x32 is within
/// the budget, the result is 32x32.
pub fn largest_view(
    picture: (u32, u32),
    resize: ResizeMode,
    native: Resolution,
    budget: f64,
) -> Resolution {
    let (width, height) = match resize {
        ResizeMode::Letterbox => (picture.0.max(1).into(), picture.1.max(1).into()),
        ResizeMode::Stretch => squeezed(picture, native),
    };
    let (step, most) = (u64::from(Resolution::STEP), u64::from(Resolution::MOST));
    let pixels = native.pixels() as f64 * budget;
    // the smallest multiple of 32 at which the side `this` is not shown smaller than the other side
    // `other` in `steps` steps
    let matching = |this: u64, other: u64, steps: u64| {
        let side = (steps * step * this).div_ceil(other).next_multiple_of(step);
        side.clamp(step, most)
    };
    let smallest = (step, step);
    let mut best = smallest;
    // scales as products, because quotients would be rounded
    let scale = |(w, h): (u64, u64)| (w * height).min(h * width);
    for steps in 1..=most / step {
        let side = steps * step;
        let candidates = [
            (side, matching(height, width, steps)),
            (matching(width, height, steps), side),
        ];
        for candidate in candidates {
            let fits = (candidate.0 * candidate.1) as f64 <= pixels;
            let larger = scale(candidate).cmp(&scale(best));
            let fewer = candidate.0 * candidate.1 < best.0 * best.1;
            if fits && (larger.is_gt() || larger.is_eq() && fewer) {
                best = candidate;
            }
        }
    }
    // both sides are at most 4096
    Resolution {
        width: best.0 as u32,
        height: best.1 as u32,
    }
}

/// Returns a shape between those of `picture` and `native`: the picture's, with its relatively longer
/// side squeezed by up to 4/3.
fn squeezed(picture: (u32, u32), native: Resolution) -> (u64, u64) {
    let (width, height) = (u64::from(picture.0.max(1)), u64::from(picture.1.max(1)));
    let (native_width, native_height) = (u64::from(native.width), u64::from(native.height));
    // whole numbers: the factors 3 and 4, and the sides of `native`, stand on both sides
    if width * native_height >= height * native_width {
        let squeezed = (4 * height * native_width).max(3 * width * native_height);
        (squeezed, 4 * height * native_height)
    } else {
        let squeezed = (4 * width * native_height).max(3 * height * native_width);
        (4 * width * native_width, squeezed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LETTERBOX: ResizeMode = ResizeMode::Letterbox;
    const STRETCH: ResizeMode = ResizeMode::Stretch;

    fn view(picture: (u32, u32), native: u32, budget: f64) -> String {
        largest_view(picture, LETTERBOX, (native, native).into(), budget).to_string()
    }

    #[test]
    fn sizes_read_as_they_print() {
        for text in ["auto", "native", "832x256"] {
            assert_eq!(text.parse::<InputSize>().unwrap().to_string(), text);
        }
        let error = "wide".parse::<InputSize>().unwrap_err().to_string();
        assert!(error.contains("auto, native or WIDTHxHEIGHT"), "{error}");
    }

    #[test]
    fn wide_pictures_get_wide_inputs() {
        assert_eq!(view((1242, 375), 416, 1.0), "768x224");
        assert_eq!(view((1242, 375), 352, 1.0), "640x192");
        assert_eq!(view((1920, 1080), 416, 1.0), "512x288");
        assert_eq!(view((1280, 720), 416, 0.62), "416x256");
        assert_eq!(view((640, 480), 416, 1.0), "480x352");
        assert_eq!(view((480, 640), 416, 1.0), "352x480");
        assert_eq!(view((800, 800), 416, 1.0), "416x416");
        assert_eq!(view((1, 1_000_000), 416, 1.0), "32x4096");
        assert_eq!(view((640, 480), 416, 1e-9), "32x32");
        assert_eq!(view((0, u32::MAX), 416, 1.0), "32x4096");
    }

    #[test]
    fn a_model_that_stretches_sees_pictures_squeezed_as_in_training() {
        let view = |picture, native: (u32, u32)| {
            largest_view(picture, STRETCH, native.into(), 1.0).to_string()
        };
        assert_eq!(view((640, 480), (416, 416)), "416x416");
        assert_eq!(view((480, 640), (416, 416)), "416x416");
        assert_eq!(view((1242, 375), (416, 416)), "640x256");
        assert_eq!(view((640, 266), (416, 416)), "544x288");
        assert_eq!(view((1242, 375), (352, 352)), "544x224");
        assert_eq!(view((1920, 1080), (640, 384)), "640x384");
        assert_eq!(view((0, u32::MAX), (4096, 32)), "32x4096");
    }

    fn sides() -> impl Strategy<Value = u32> {
        (1u32..=24).prop_map(|steps| 32 * steps)
    }

    proptest! {
        #[test]
        fn the_picture_is_shown_largest_by_the_fewest_pixels(
            picture in (1u32..5000, 1u32..5000), native in (sides(), sides()), budget in 0.05f64..3.0,
        ) {
            let native = Resolution::from(native);
            let chosen = largest_view(picture, LETTERBOX, native, budget);
            prop_assert_eq!((chosen.width % 32, chosen.height % 32), (0, 0));
            let limit = native.pixels() as f64 * budget;
            prop_assert!(chosen.pixels() as f64 <= limit || chosen == (32, 32).into());
            let scale = |w: u32, h: u32| {
                let (pw, ph) = (u64::from(picture.0), u64::from(picture.1));
                (u64::from(w) * ph).min(u64::from(h) * pw)
            };
            let own = scale(chosen.width, chosen.height);
            for width in (32..=4096u32).step_by(32) {
                for height in (32..=4096u32).step_by(32) {
                    let pixels = u64::from(width) * u64::from(height);
                    if pixels as f64 > limit {
                        break;
                    }
                    let other = scale(width, height);
                    prop_assert!(
                        other < own || other == own && pixels >= chosen.pixels(),
                        "{width}x{height} over {chosen}"
                    );
                }
            }
        }

        #[test]
        fn the_models_own_shape_gets_its_own_size(native in (sides(), sides()), scale in 1u32..8) {
            let picture = (native.0 * scale, native.1 * scale);
            for resize in [LETTERBOX, STRETCH] {
                prop_assert_eq!(largest_view(picture, resize, native.into(), 1.0), native.into());
            }
        }
    }
}
