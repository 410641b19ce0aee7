//! Puts the frames of a run into its hub.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::pictures::PictureThread;
use super::scene::scene;
use shuffledet_core::Outcome;
use shuffledet_detector::config::WebConfig;
use shuffledet_detector::pipeline::settings::SettingsReader;
use shuffledet_detector::pipeline::{CameraSettings, Frame, SharedSettings};
use shuffledet_view::Hub;

/// Passes the frames of a run to the page.
pub struct ViewedFrames {
    hub: Arc<Hub>,
    pictures: PictureThread,
    settings: SettingsReader,
}

impl ViewedFrames {
    /// Starts the thread that makes the pictures.
    ///
    /// # Errors
    /// The thread or the encoder cannot be made.
    pub fn start(
        hub: Arc<Hub>,
        web: &WebConfig,
        settings: Arc<SharedSettings>,
    ) -> io::Result<Self> {
        let cameras = settings.get().cameras.len();
        Ok(Self {
            pictures: PictureThread::start(Arc::clone(&hub), cameras, web.max_width)?,
            hub,
            settings: SettingsReader::new(settings),
        })
    }

    /// Counts a frame, and shows it if somebody looks, at the rate of the page or `always`. Call it after
    /// the frame is published.
    pub fn record(&mut self, frame: &Frame, outcome: &Outcome, always: bool) {
        let now = Instant::now();
        self.hub.record(frame.camera, now, outcome, &frame.trace);
        if *outcome != Outcome::Published {
            return;
        }
        let is_wanted = match always {
            true => self.hub.is_watched(now),
            false => self.hub.wants_picture(frame.camera, now),
        };
        let Some(model) = frame.model.as_ref().filter(|_| is_wanted) else {
            return;
        };
        let (settings, _) = self.settings.current();
        let camera = settings.cameras.get(frame.camera);
        let camera = camera.unwrap_or(&CameraSettings::EVERY_FRAME);
        let scene = scene(frame, &camera.regions, &model.labels);
        self.pictures.expose(frame, camera.limits, scene);
    }
}
