//! The detector: regions, letterbox, session, output decoder, non-maximum suppression.

pub mod classes;
pub mod fusion;
pub mod groups;
mod input_choice;
pub mod multi_scale;
mod network;
mod networks;
pub mod nms;
pub mod opener;
mod placement;
mod reader;
pub mod settings;

use std::sync::Arc;

use thiserror::Error;

pub use groups::ObjectGroups;
pub use input_choice::InputChoice;
pub use multi_scale::{MultiScaleDetector, Scales};
pub use network::Network;
use networks::Networks;
pub use opener::NetworkOpener;
pub use placement::Placement;
pub use reader::OutputReader;
pub use settings::DetectorSettings;

use crate::model::{Model, ModelDescription, OutputDecoder};
use shuffledet_core::{Detection, PixelRect, Region, Regions, ResizeMode, Resolution};
use shuffledet_image::{BgrView, Letterbox, Pixels};
use shuffledet_infer::backend::Profiled;
use shuffledet_infer::{
    Backoff, InferError, Opening, OrtBackend, Outputs, Runtime, Session, SessionOptions,
    ShapeMismatch, WhileBuilding,
};
use shuffledet_sight::View;

/// Why an image has no result.
#[derive(Debug, Error)]
pub enum DetectError {
    #[error("preparing the input tensor: {0}")]
    Prepare(#[from] opencv::Error),
    #[error(transparent)]
    Infer(#[from] InferError),
}

impl DetectError {
    /// Returns the reason's key in counters.
    pub fn reason(&self) -> &'static str {
        match self {
            DetectError::Prepare(_) => "preparation",
            DetectError::Infer(error) => error.reason(),
        }
    }
}

/// Opens a session of `model` at its own resolution on the best provider, however long that takes,
/// and the decoder of its outputs.
///
/// # Errors
/// No provider can run the model, or its inputs or outputs do not match its description.
pub fn open(
    runtime: &Runtime,
    model: &Model,
    options: &SessionOptions,
) -> Result<(Session, OutputDecoder), InferError> {
    let description = &model.description;
    let sides = description.input.resolution().sides();
    open_with(runtime, model, options, |shapes| {
        OutputDecoder::for_model(description, sides, shapes)
    })
}

/// Does the same with the reader that `outputs` makes from the shapes of the outputs, with the number
/// of values in each.
///
/// # Errors
/// As of [`open`].
pub fn open_with<R>(
    runtime: &Runtime,
    model: &Model,
    options: &SessionOptions,
    outputs: impl FnOnce(&[Vec<i64>]) -> Result<(R, Vec<usize>), ShapeMismatch>,
) -> Result<(Session, R), InferError> {
    let backend = OrtBackend::new(runtime, model.file(), options, Profiled::Accelerated)?;
    let opening = Opening {
        backend: Arc::new(backend),
        model: &model.path.display().to_string(),
        input: &model.description.input,
        options,
        while_building: WhileBuilding::Wait,
        backoff: Backoff::default(),
        provider_statuses: Arc::default(),
    };
    opening.open(outputs)
}

/// Detects objects in one picture at a time.
///
/// A picture is searched in one run of the model or several: one for each region. The pipeline
/// calls the steps in order and times them: [`Detector::begin`]; for each run
/// [`Detector::prepare`], [`Detector::infer`] and [`RunOutputs::read`]; then [`Detector::suppress`].
pub struct Detector {
    choice: InputChoice,
    networks: Networks,
    /// The runs of the current picture.
    runs: Vec<Run>,
    /// The network that was used last.
    current: usize,
    /// Where the last prepared tensor lies in the picture.
    placement: Placement,
    picture: (u32, u32),
    reader: OutputReader,
    clips_first: bool,
}

/// A run of the model on a part of the picture.
#[derive(Debug, Clone, Copy)]
struct Run {
    part: PixelRect,
    wanted: Resolution,
    network: usize,
}

/// The resolution of one run of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputUse {
    pub used: Resolution,
    /// Another than `used` if its session is not there: it is being created, or cannot be.
    pub wanted: Resolution,
}

/// The outputs of one run.
pub struct RunOutputs<'a> {
    outputs: Outputs<'a>,
    decoder: &'a OutputDecoder,
    placement: &'a Placement,
    suspect: &'a mut bool,
    reader: &'a mut OutputReader,
}

impl Detector {
    /// Creates a detector with its own session ([`open`]), at the model's own resolution for every
    /// picture.
    ///
    /// # Errors
    /// The same as of [`open`].
    pub fn new(
        runtime: &Runtime,
        model: &Model,
        options: &SessionOptions,
        settings: DetectorSettings,
    ) -> Result<Self, InferError> {
        let opened = open(runtime, model, options)?;
        Ok(Self::with_session(opened, &model.description, settings))
    }

    /// Creates a detector with an open session, at the model's own resolution for every picture.
    pub fn with_session(
        opened: (Session, OutputDecoder),
        model: &ModelDescription,
        settings: DetectorSettings,
    ) -> Self {
        let first = Network::new(opened, model, model.input.resolution());
        let choice = InputChoice::native(&model.input);
        Self::with_networks(first, None, choice, settings)
    }

    /// Creates a detector that chooses the resolution by `choice`, with sessions from `opener`. The
    /// session of [`InputChoice::base`] is created now, the others when a picture needs them.
    ///
    /// # Errors
    /// The same as of [`NetworkOpener::open`].
    pub fn with_opener(
        opener: &Arc<NetworkOpener>,
        choice: InputChoice,
        settings: DetectorSettings,
    ) -> Result<Self, InferError> {
        let first = opener.open(choice.base())?;
        let opener = Some(Arc::clone(opener));
        Ok(Self::with_networks(first, opener, choice, settings))
    }

    fn with_networks(
        first: Network,
        opener: Option<Arc<NetworkOpener>>,
        choice: InputChoice,
        settings: DetectorSettings,
    ) -> Self {
        let size = first.resolution.sides();
        let letterbox = Letterbox::new(size, size, ResizeMode::Stretch);
        Self {
            choice,
            clips_first: first.decoder.clips_before_suppression(),
            networks: Networks::new(first, opener),
            runs: Vec::new(),
            current: 0,
            placement: Placement::new(letterbox, Region::WHOLE.pixels(size), size),
            picture: size,
            reader: OutputReader::new(settings),
        }
    }

    /// Lets sessions change their providers, and takes over a session of another resolution that is
    /// ready. Call it before each picture.
    pub fn between_frames(&mut self) {
        self.networks.between_frames();
    }

    /// Applies new settings from the next picture on.
    pub fn set_settings(&mut self, settings: &DetectorSettings) {
        self.reader.set_settings(settings);
    }

    /// Returns the session that was used last.
    pub fn session(&self) -> &Session {
        &self.networks.get(self.current).session
    }

    /// Returns the resolutions that sessions are open for, that of the first session first.
    pub fn resolutions(&self) -> impl Iterator<Item = Resolution> {
        self.networks.resolutions()
    }

    /// Returns the resolution in which `region` of a picture of `picture` (width, height) is meant
    /// to be searched, whether or not its session is there.
    pub fn input_size_for(&self, picture: (u32, u32), region: Region) -> Resolution {
        let part = region.pixels(picture);
        self.choice.resolution_for(part.size())
    }

    /// Returns the width and height that a picture of `picture` (width, height) has at the greatest
    /// scale at which one of its `regions` is meant to be searched, for each side.
    pub fn size_in_input(&self, picture: (u32, u32), regions: &Regions) -> (u32, u32) {
        let mode = self.networks.get(0).builder.resize_mode();
        let sizes = regions.as_slice().iter().map(|&region| {
            let part = region.pixels(picture).size();
            let input = self.input_size_for(picture, region);
            let scaled = Letterbox::new(part, input.sides(), mode).size;
            let whole = |scaled: u32, part: u32, picture: u32| {
                let side = u64::from(scaled) * u64::from(picture);
                u32::try_from(side.div_ceil(u64::from(part.max(1)))).unwrap_or(u32::MAX)
            };
            let width = whole(scaled.0, part.0, picture.0);
            (width, whole(scaled.1, part.1, picture.1))
        });
        sizes.fold((0, 0), |most, size| {
            (most.0.max(size.0), most.1.max(size.1))
        })
    }

    /// Begins a picture of `picture` (width, height) pixels that is searched in `regions`. Returns
    /// whether sessions were created for it, which takes much longer than a frame.
    pub fn begin(&mut self, picture: (u32, u32), regions: &Regions) -> bool {
        let choice = self.choice;
        self.begin_at(picture, regions, |part| choice.resolution_for(part.size()))
    }

    fn begin_at(
        &mut self,
        picture: (u32, u32),
        regions: &Regions,
        resolution: impl Fn(PixelRect) -> Resolution,
    ) -> bool {
        self.picture = picture;
        self.reader.begin();
        self.runs.clear();
        self.runs.extend(regions.as_slice().iter().map(|region| {
            let part = region.pixels(picture);
            let wanted = resolution(part);
            Run {
                part,
                wanted,
                network: 0,
            }
        }));
        let made = self.networks.begin(self.runs.iter().map(|run| run.wanted));
        for run in &mut self.runs {
            run.network = self.networks.index_for(run.wanted);
        }
        made
    }

    /// Returns the number of runs for the current picture.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Returns the resolution of each run for the current picture.
    pub fn inputs(&self) -> impl Iterator<Item = InputUse> {
        self.runs.iter().map(|run| InputUse {
            used: self.networks.get(run.network).resolution,
            wanted: run.wanted,
        })
    }

    /// Prepares the input tensor of the run `run` from `image`, the picture of [`Detector::begin`].
    ///
    /// # Errors
    /// OpenCV refuses the picture, or it is another one than that of [`Detector::begin`].
    pub fn prepare<'a>(&mut self, image: impl Into<Pixels<'a>>, run: usize) -> opencv::Result<()> {
        let image = image.into();
        let Run { part, network, .. } = self.runs[run];
        let builder = &mut self.networks.get_mut(network).builder;
        let (letterbox, part) = if part.size() == self.picture {
            (builder.fill(image)?, part)
        } else {
            let (view, part) = cut_out(&image, part).ok_or_else(|| {
                let problem = format!("{part:?} lies outside of the picture");
                opencv::Error::new(opencv::core::StsBadArg, problem)
            })?;
            (builder.fill(view)?, part)
        };
        self.placement = Placement::new(letterbox, part, self.picture);
        self.current = network;
        Ok(())
    }

    /// Returns the shape and the values of the last tensor of [`Detector::prepare`].
    pub fn input(&self) -> ([usize; 4], &[f32]) {
        let builder = &self.networks.get(self.current).builder;
        (builder.shape(), builder.tensor())
    }

    /// Copies the picture in the last tensor of [`Detector::prepare`] to `view`.
    pub fn show(&self, view: &mut View) {
        self.networks.get(self.current).builder.show(view);
    }

    /// Runs the model on the last tensor of [`Detector::prepare`].
    ///
    /// # Errors
    /// The provider fails. Later pictures may have another one.
    pub fn infer(&mut self) -> Result<RunOutputs<'_>, InferError> {
        let network = self.networks.get_mut(self.current);
        let outputs = network
            .session
            .run(network.builder.shape(), network.builder.tensor())?;
        Ok(RunOutputs {
            outputs,
            decoder: &network.decoder,
            placement: &self.placement,
            suspect: &mut network.suspect,
            reader: &mut self.reader,
        })
    }

    /// Runs the model again for each run of the current picture, on the tensors that are there.
    pub(crate) fn infer_again(&mut self) -> Result<(), InferError> {
        for run in 0..self.runs() {
            self.current = self.runs[run].network;
            self.infer()?;
        }
        Ok(())
    }

    /// Keeps the best of the boxes of all runs. Returns the detections of the picture, the highest
    /// score first.
    pub fn suppress(&mut self) -> &[Detection] {
        self.reader.suppress(self.picture, self.clips_first)
    }

    /// Returns the detections of the last [`Detector::suppress`].
    pub fn detections(&self) -> &[Detection] {
        self.reader.detections()
    }

    /// Does the same as [`Detector::suppress`] with the boxes of `reader`.
    pub fn suppress_of<'r>(&self, reader: &'r mut OutputReader) -> &'r [Detection] {
        reader.suppress(self.picture, self.clips_first)
    }

    /// Runs all steps on the whole picture.
    pub fn detect<'a>(
        &mut self,
        image: impl Into<Pixels<'a>>,
    ) -> Result<&[Detection], DetectError> {
        self.detect_in(image, &Regions::WHOLE)
    }

    /// Runs all steps on `regions` of a picture.
    pub fn detect_in<'a>(
        &mut self,
        image: impl Into<Pixels<'a>>,
        regions: &Regions,
    ) -> Result<&[Detection], DetectError> {
        let image = image.into();
        self.between_frames();
        self.begin(image.image_size(), regions);
        self.run_all(&image)
    }

    /// Runs all steps on the whole picture at the resolution of the first session.
    pub(super) fn detect_at_base(
        &mut self,
        image: &BgrView<'_>,
    ) -> Result<&[Detection], DetectError> {
        let base = self.choice.base();
        self.between_frames();
        self.begin_at(image.image_size(), &Regions::WHOLE, |_| base);
        self.run_all(&image.into())
    }

    fn run_all(&mut self, image: &Pixels<'_>) -> Result<&[Detection], DetectError> {
        for run in 0..self.runs() {
            self.prepare(image, run)?;
            self.infer()?.read()?;
        }
        Ok(self.suppress())
    }
}

impl<'a> RunOutputs<'a> {
    /// Returns the model's outputs.
    pub fn outputs(&self) -> &Outputs<'a> {
        &self.outputs
    }

    /// Adds the boxes of this run to those of the picture.
    ///
    /// # Errors
    /// The outputs have an invalid value. The session is then tested again before the next picture.
    pub fn read(self) -> Result<(), InferError> {
        let read = self
            .reader
            .read(&self.outputs, self.decoder, self.placement);
        *self.suspect |= read.is_err();
        read
    }

    /// Does the same with the boxes of `reader`.
    pub fn read_into(&mut self, reader: &mut OutputReader) -> Result<(), InferError> {
        let read = reader.read(&self.outputs, self.decoder, self.placement);
        *self.suspect |= read.is_err();
        read
    }
}

/// Returns the pixels of `part` and its place, both in pixels of the picture. If `image` was decoded
/// smaller than the picture, the place is that of whole pixels of `image`.
fn cut_out<'a>(image: &Pixels<'a>, part: PixelRect) -> Option<(Pixels<'a>, PixelRect)> {
    let (width, height) = image.image_size();
    let size = image.size();
    if size == (width, height) {
        return Some((image.part(part)?, part));
    }
    let (left, columns) = reduced(part.left, part.width, width, size.0);
    let (top, rows) = reduced(part.top, part.height, height, size.1);
    let pixels = PixelRect {
        left,
        top,
        width: columns,
        height: rows,
    };
    let (left, width) = reduced(left, columns, size.0, width);
    let (top, height) = reduced(top, rows, size.1, height);
    let place = PixelRect {
        left,
        top,
        width,
        height,
    };
    Some((image.part(pixels)?.reduced_from(place.size()), place))
}

/// Returns the start and length of a span of a side of `from` pixels in one of `to` pixels, rounded
/// to whole pixels; the length is at least 1.
fn reduced(start: u32, length: u32, from: u32, to: u32) -> (u32, u32) {
    let at = |pixel: u64| (pixel * u64::from(to) + u64::from(from) / 2) / u64::from(from.max(1));
    let end = at(u64::from(start) + u64::from(length)).min(u64::from(to));
    let begin = at(u64::from(start)).min(end.saturating_sub(1));
    // both are at most `to`
    (begin as u32, (end - begin) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_reduced_picture_lies_on_its_pixels() {
        // an eighth of 1242 x 375
        let data = vec![7; 3 * 156 * 47];
        let image = BgrView::new(156, 47, 3 * 156, &data)
            .unwrap()
            .reduced_from((1242, 375));
        let region = Region::new([0.4, 0.2, 1.0, 1.0]).unwrap();
        let part = region.pixels((1242, 375));
        let (view, place) = cut_out(&Pixels::Bgr(image), part).unwrap();
        assert_eq!(view.size(), (156 - 62, 47 - 10));
        assert_eq!(view.image_size(), place.size());
        assert_eq!(
            (place.left + place.width, place.top + place.height),
            (1242, 375)
        );
        assert!(place.left.abs_diff(part.left) <= 4 && place.top.abs_diff(part.top) <= 4);
    }
}
