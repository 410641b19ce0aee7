//! How pictures are judged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether the cameras see: the faults of their pictures, judged from the model's input (the first of
/// input.regions).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSight {
    /// Whether pictures are judged. /diagnostics and the latency message then name the faults.
    pub enabled: bool,
    /// The time for which a fault must be there before it is reported, and absent before it is no
    /// longer reported, in seconds.
    #[schemars(range(min = 0.05, max = 60.0))]
    pub hold_s: f64,
    /// frozen: the mean difference from the picture before is less, in grey levels (0 to 255). 0:
    /// never.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub frozen_below: f64,
    /// black: 98 % of the picture is darker, in grey levels. 0: never.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub black_below: f64,
    /// washed_out: fewer grey levels lie between the darkest and the brightest 2 % of the picture.
    /// 0: never.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub contrast_below: f64,
    /// blurred: the sharpness is less. It is 0.0625 on smooth slopes and 0.25 at sharp edges. 0: never.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sharpness_below: f64,
    /// covered: a larger share of the picture is dark and without texture. 1: never.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub covered_above: f64,
    /// torn: a shift of one row leaves less than this share of the difference between two rows. 0:
    /// never.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tear_below: f64,
}

impl Default for RawSight {
    fn default() -> Self {
        let shuffledet_sight::Settings {
            hold_s,
            frozen_below,
            black_below,
            contrast_below,
            sharpness_below,
            covered_above,
            tear_below,
        } = shuffledet_sight::Settings::default();
        Self {
            enabled: true,
            hold_s,
            frozen_below,
            black_below,
            contrast_below,
            sharpness_below,
            covered_above,
            tear_below,
        }
    }
}
