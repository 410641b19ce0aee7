//! Whether the cameras of a run see, judged after the frames are in order.

use std::sync::Arc;

use super::settings::SettingsReader;
use super::{Frame, SharedSettings};
use shuffledet_core::Outcome;
use shuffledet_sight::Watch;

/// Follows the pictures of every camera of a run.
pub struct Sight {
    settings: SettingsReader,
    /// By camera.
    watches: Vec<Watch>,
}

impl Sight {
    pub fn new(settings: Arc<SharedSettings>) -> Self {
        let cameras = settings.get().cameras.len();
        Self {
            watches: vec![Watch::default(); cameras],
            settings: SettingsReader::new(settings),
        }
    }

    /// Fills in the faults of a published frame. Call it for the frames of a camera in their order.
    pub fn update(&mut self, frame: &mut Frame, outcome: &Outcome) {
        let settings = self.settings.current().0;
        let settings = settings.cameras.get(frame.camera);
        let Some(watch) = self.watches.get_mut(frame.camera) else {
            return;
        };
        let Some(settings) = settings.and_then(|camera| camera.sight.as_ref()) else {
            *watch = Watch::default();
            return;
        };
        if *outcome == Outcome::Published {
            watch.update(frame.time_ns(), &frame.view, settings);
            frame.faults = Some(watch.faults());
        }
    }
}
