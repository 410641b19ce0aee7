//! `--view`: the page of a replay, with its controls.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use super::terminal;
use crate::view::{ViewedFrames, log, parameter_views};
use shuffledet_core::whole_file;
use shuffledet_detector::LoadedModel;
use shuffledet_detector::config::raw::LogLevel;
use shuffledet_detector::detect::DetectorSettings;
use shuffledet_detector::pipeline::{
    Camera, CameraSettings, Playback, RuntimeSettings, SharedSettings,
};
use shuffledet_harness::labelling::FrameList;
use shuffledet_infer::ProviderStatuses;
use shuffledet_msg::Stamp;
use shuffledet_node::parameters::{ParameterSet, ParameterValue};
use shuffledet_view::{
    Control, Hub, Limits, ParameterView, Place, PlayCommand, PlaybackState, RunFacts, Served,
};

/// The port of the page, if none is named.
pub const PORT: &str = "8347";

#[derive(Debug, Args)]
#[command(next_help_heading = "View")]
pub struct ViewArgs {
    /// Show the run on a page in the browser, on this port, and play the recording in real time:
    /// every frame, with pause, step, seek and speed on the page [default port: 8347]
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = PORT)]
    pub view: Option<u16>,

    /// Write the frames that are marked on the page to this list, which `label export --frames` takes
    #[arg(long, value_name = "FILE", requires = "view")]
    pub marks: Option<PathBuf>,
}

/// What a page needs to know of its run.
pub struct ViewedRun<'a> {
    pub title: String,
    pub loaded: &'a LoadedModel,
    pub cameras: &'a [Camera],
    pub tuning: &'a Arc<SharedSettings>,
    pub playback: &'a Arc<Playback>,
    /// The first and the last second that may be played.
    pub window: (Duration, Option<Duration>),
    /// Why the page cannot control the speed; `None`: it can.
    pub fixed: Option<&'static str>,
    /// Why the page cannot seek; `None`: it can.
    pub no_seek: Option<&'static str>,
}

/// The page of a replay while it runs.
pub struct View {
    pub frames: ViewedFrames,
    // dropped after the frames
    _served: Served,
}

impl ViewArgs {
    /// Serves the page if it is asked for, and prints where.
    pub fn open(&self, run: &ViewedRun<'_>) -> anyhow::Result<Option<View>> {
        let Some(port) = self.view else {
            return Ok(None);
        };
        let web = &run.loaded.config.web;
        let cameras: Vec<_> = run
            .cameras
            .iter()
            .map(|camera| camera.topic.clone())
            .collect();
        let hub = Hub::new(cameras, web.max_rate_hz);
        log::show_on(&hub);
        let control = ReplayControl::new(run, self.marks.clone())?;
        let place = Place {
            address: web.address,
            port,
            allowed_hosts: web.allowed_hosts.clone(),
        };
        let (shared, control) = (Arc::clone(&hub), Arc::new(control));
        let served = Served::start(&place, Limits::default(), shared, control, "--view")?;
        writeln!(terminal::stderr(), "view: {}", served.url())?;
        let frames = ViewedFrames::start(hub, web, Arc::clone(run.tuning)).context("--view")?;
        Ok(Some(View {
            frames,
            _served: served,
        }))
    }
}

/// The controls of a replay.
struct ReplayControl {
    facts: RunFacts,
    providers: Arc<ProviderStatuses>,
    cameras: Vec<Camera>,
    playback: Arc<Playback>,
    window: (Duration, Option<Duration>),
    fixed: Option<&'static str>,
    no_seek: Option<&'static str>,
    marks: Option<Mutex<(PathBuf, FrameList)>>,
    parameters: Mutex<ParameterSet>,
    allow_changes: bool,
    tuning: Arc<SharedSettings>,
}

impl ReplayControl {
    fn new(run: &ViewedRun<'_>, marks: Option<PathBuf>) -> anyhow::Result<Self> {
        let loaded = run.loaded;
        let marks = marks.map(|path| -> anyhow::Result<_> {
            // marks of an earlier run are kept
            let list = match path.exists() {
                true => {
                    FrameList::read(&path).with_context(|| format!("--marks {}", path.display()))?
                }
                false => FrameList::default(),
            };
            Ok(Mutex::new((path, list)))
        });
        let model = loaded.model.description.clone();
        let parameters = ParameterSet::new(loaded.config.clone(), model, LogLevel::Warn)?;
        Ok(Self {
            facts: RunFacts {
                title: run.title.clone(),
                model: loaded.model.description.name.clone(),
                ..RunFacts::default()
            },
            providers: Arc::clone(&loaded.provider_statuses),
            cameras: run.cameras.to_vec(),
            playback: Arc::clone(run.playback),
            window: run.window,
            fixed: run.fixed,
            no_seek: run.no_seek,
            marks: marks.transpose()?,
            parameters: Mutex::new(parameters),
            allow_changes: loaded.config.web.allow_changes,
            tuning: Arc::clone(run.tuning),
        })
    }

    fn mark(&self, camera: usize, [sec, nanosec]: [i64; 2]) -> anyhow::Result<String> {
        let marks = self
            .marks
            .as_ref()
            .context("give --marks FILE to keep a list of frames")?;
        let camera = self
            .cameras
            .get(camera)
            .context("there is no such camera")?;
        let (Ok(sec), Ok(nanosec)) = (sec.try_into(), nanosec.try_into()) else {
            bail!("expected a stamp in seconds and nanoseconds, found {sec} and {nanosec}");
        };
        let stamp_ns = Stamp { sec, nanosec }.to_ns();
        let (path, list) = &mut *marks.lock().unwrap_or_else(PoisonError::into_inner);
        if !list.add(&camera.topic, stamp_ns) {
            return Ok("this frame is marked already".to_owned());
        }
        whole_file::write(&*path, list.to_string()).with_context(|| path.display().to_string())?;
        Ok(format!("marked in {}", path.display()))
    }

    /// Puts changed parameters into effect. Limits of age and rate stay as they were at the start.
    fn apply(
        &self,
        config: &shuffledet_detector::config::Config,
        detector: &DetectorSettings,
    ) -> Result<(), String> {
        let old = self.tuning.get();
        let new = config.recorded_settings(&self.cameras);
        let cameras = old.cameras.iter().zip(new);
        let cameras = cameras.map(|(old, new)| CameraSettings {
            jpeg_scale: new.jpeg_scale,
            limits: new.limits,
            regions: new.regions,
            sight: new.sight,
            mounting: new.mounting,
            ..*old
        });
        let mut tracking = config.tracking.clone();
        tracking.predict_to_publish = false;
        self.tuning.set(RuntimeSettings {
            model: old.model,
            detector: detector.clone(),
            tracking,
            cameras: cameras.collect(),
        });
        Ok(())
    }
}

impl Control for ReplayControl {
    fn facts(&self) -> RunFacts {
        RunFacts {
            providers: self.providers.statuses(),
            ..self.facts.clone()
        }
    }

    fn playback(&self) -> Option<PlaybackState> {
        let view = self.playback.view();
        let marks = self.marks.as_ref();
        let marked =
            marks.map(|marks| marks.lock().unwrap_or_else(PoisonError::into_inner).1.len());
        Some(PlaybackState {
            paused: view.paused,
            speed: view.speed,
            position_s: view.position.as_secs_f64(),
            length_s: self.window.1.map(|end| end.as_secs_f64()),
            at_end: view.at_end,
            fixed: self.fixed.map(str::to_owned),
            no_seek: self.no_seek.map(str::to_owned),
            marks: marked,
        })
    }

    fn play(&self, command: &PlayCommand) -> Result<String, String> {
        let playback = &self.playback;
        if let PlayCommand::Mark { camera, stamp } = command {
            let marked = self.mark(*camera, *stamp);
            return marked.map_err(|error| format!("{error:#}"));
        }
        if let Some(fixed) = self.fixed {
            return Err(fixed.to_owned());
        }
        match *command {
            // with the next frame, which is shown
            PlayCommand::Pause => playback.step(),
            PlayCommand::Resume if playback.view().at_end => {
                if let Some(why) = self.no_seek {
                    return Err(why.to_owned());
                }
                playback.resume();
                playback.seek(self.window.0);
            }
            PlayCommand::Resume => playback.resume(),
            PlayCommand::Step => playback.step(),
            PlayCommand::Speed { times } => {
                if times.is_some_and(|times| !(0.01..=1000.0).contains(&times)) {
                    return Err(format!(
                        "expected a speed from 0.01 to 1000, found {times:?}"
                    ));
                }
                playback.set_speed(times);
            }
            PlayCommand::Seek { to_s } => {
                if let Some(why) = self.no_seek {
                    return Err(why.to_owned());
                }
                let to = Duration::try_from_secs_f64(to_s);
                let to = to.map_err(|_| format!("expected seconds from 0 on, found {to_s}"))?;
                playback.seek(to.max(self.window.0));
            }
            PlayCommand::Mark { .. } => {}
        }
        Ok(String::new())
    }

    fn parameters(&self) -> Vec<ParameterView> {
        parameter_views(
            &self
                .parameters
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn parameters_yaml(&self) -> Result<String, String> {
        let parameters = self
            .parameters
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let yaml = parameters.config().to_ros_yaml();
        yaml.map_err(|error| error.to_string())
    }

    fn parameters_fixed(&self) -> Option<String> {
        let fixed = "Viewers may look only; start with --set web.allow_changes=true to change parameters here.";
        (!self.allow_changes).then(|| fixed.to_owned())
    }

    fn set_parameter(&self, name: &str, value: &Value) -> Result<(), String> {
        let value = ParameterValue::from_untyped(value).map_err(|why| format!("{name}: {why}"))?;
        let mut parameters = self
            .parameters
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let change = [(name.to_owned(), value)];
        if parameters.needs_sessions(&change) {
            return Err(format!(
                "{name}: cannot change while a recording is played; start again with --set {name}=VALUE"
            ));
        }
        parameters.set(&change, |config, settings| self.apply(config, settings))?;
        Ok(())
    }
}
