//! `shuffledet import`: converts a video, a camera's pictures or a folder of images to a recording.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use anyhow::{Context, bail};
use clap::{Args, value_parser};
use indicatif::ProgressBar;

use super::{Status, interrupt, progress};
use crate::cli::terminal;
use shuffledet_bag::WrittenRecording;
use shuffledet_core::bounded_file::TEXT_LIMIT;
use shuffledet_core::text;
use shuffledet_detector::pipeline::camera::info_topic;
use shuffledet_detector::pipeline::{Camera, Transport};
use shuffledet_detector::sink::{CameraRecording, CameraSpec};
use shuffledet_image::stream;
use shuffledet_image::{FrameRate, Picture, PictureSource, PictureTimes};
use shuffledet_msg::CameraInfo;
use shuffledet_report::format;

#[derive(Debug, Args)]
#[command(after_help = "\
A folder's images may have any format that OpenCV reads (WebP, AVIF or GIF may be missing). They
are sorted naturally: frame2 comes before frame10. Without --raw, JPEG and PNG files are copied
byte for byte.
A camera (/dev/video0) and an RTSP address are recorded until --limit or Ctrl-C. User and password of an address are in no message and no output.
An image that cannot be read is reported and left out; the later images keep their times.
Exit code: 0 if every frame was written, 2 if images were left out, 1 on an error, 130 if
interrupted.")]
pub struct ImportArgs {
    /// A video in a format that OpenCV reads, a folder of images, a camera such as /dev/video0, or an
    /// rtsp:// address
    #[arg(value_name = "VIDEO|IMAGE_DIR|CAMERA")]
    input: PathBuf,

    /// The recording to write: a folder, or an .mcap file with metadata.yaml beside it
    #[arg(long, value_name = "BAG", help_heading = "Output")]
    output: PathBuf,

    /// Overwrite an existing output
    #[arg(long, help_heading = "Output")]
    force: bool,

    /// Print only warnings and errors
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,

    /// The image topic [default: /camera/image_raw/compressed, or /camera/image_raw with --raw]
    #[arg(long, value_name = "T", value_parser = super::values::topic, help_heading = "Messages")]
    topic: Option<String>,

    /// The frame_id of the camera
    #[arg(
        long,
        value_name = "ID",
        default_value = "camera",
        help_heading = "Messages"
    )]
    frame_id: String,

    /// Write sensor_msgs/Image with encoding bgr8 instead of CompressedImage
    #[arg(long, help_heading = "Messages")]
    raw: bool,

    /// JPEG quality from 1 to 100 for frames that are not JPEG or PNG files
    #[arg(long, value_name = "Q", value_parser = value_parser!(i32).range(1..=100), default_value = "90",
        conflicts_with = "raw", help_heading = "Messages")]
    jpeg_quality: i32,

    /// Write a CameraInfo message with this calibration for each frame, on the topic camera_info
    /// beside the image topic
    #[arg(long, value_name = "YAML", help_heading = "Messages")]
    camera_info: Option<PathBuf>,

    /// Frames per second, such as 25, 29.97 or 30000/1001 [default: the rate of the video; 10 for a
    /// folder]
    #[arg(long, value_name = "F", help_heading = "Time")]
    fps: Option<FrameRate>,

    /// Stamp of the first frame in seconds since 1970 with up to nine decimals [default: now]
    #[arg(long, value_name = "S", value_parser = super::values::stamp_ns, help_heading = "Time")]
    start_stamp: Option<u64>,

    /// Maximum number of frames to write
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..), help_heading = "Selection")]
    limit: Option<u64>,
}

const NS_PER_S: u64 = 1_000_000_000;

pub fn run(args: &ImportArgs) -> anyhow::Result<Status> {
    let spec = args.spec()?;
    let mut input = PictureSource::open(&args.input)?;
    let times = match args.fps {
        Some(rate) => PictureTimes::at_rate(rate),
        None => input.times(input.frame_rate().with_context(|| {
            let path = args.input.display();
            format!("{path}: the video states no frame rate; set it with --fps")
        })?),
    };
    let start_ns = args.start_stamp.map_or_else(now_ns, Ok)?;
    let stop = interrupt::listen().context("listening for signals")?;

    let shown = stream::shown(&args.input);
    let total = input.expected_frames();
    let total = args.limit.into_iter().chain(total).min();
    let mut import = Import {
        args,
        spec,
        recording: None,
        first_last_ns: None,
        times,
        written: 0,
        left_out: 0,
        bar: progress::bar(total, args.quiet),
    };
    let ran = import.copy(&mut input, start_ns, &stop);
    import.bar.finish_and_clear();
    // complete the frames written so far before the error is reported
    let finished = import.recording.take().map(CameraRecording::finish);
    ran?;
    let interrupted = stop.load(Ordering::Relaxed);
    match finished.transpose()? {
        Some(finished) => {
            let is_complete = !interrupted && args.limit != Some(import.written);
            if let Some(shortfall) = input.shortfall(import.written).filter(|_| is_complete) {
                tracing::warn!("{}: {shortfall}", shown.display());
            }
            if !args.quiet {
                import.print(&finished)?;
            }
        }
        None if interrupted => {}
        None => bail!("{}: {}", shown.display(), input.why_empty()),
    }
    Ok(if interrupted {
        Status::Interrupted
    } else if import.left_out > 0 {
        Status::SomeFailed
    } else {
        Status::Success
    })
}

impl ImportArgs {
    fn spec(&self) -> anyhow::Result<CameraSpec> {
        let (transport, default) = match self.raw {
            true => (Transport::Raw, "/camera/image_raw"),
            false => (Transport::Compressed, "/camera/image_raw/compressed"),
        };
        let topic = self.topic.clone().unwrap_or_else(|| default.to_owned());
        let camera = Camera { topic, transport };
        let info = self.camera_info.as_deref().map(|path| {
            read_calibration(path).with_context(|| format!("--camera-info {}", path.display()))
        });
        if info.is_some() && info_topic(&camera) == camera.topic {
            bail!(
                "--topic {}: --camera-info is written to the same topic; choose another name",
                camera.topic
            );
        }
        Ok(CameraSpec {
            camera,
            frame_id: self.frame_id.clone(),
            jpeg_quality: self.jpeg_quality,
            info: info.transpose()?,
        })
    }
}

pub(super) fn read_calibration(path: &Path) -> anyhow::Result<CameraInfo> {
    Ok(CameraInfo::from_calibration_yaml(&text::read(
        path, TEXT_LIMIT,
    )?)?)
}

/// The state of an import.
struct Import<'a> {
    args: &'a ImportArgs,
    spec: CameraSpec,
    /// Created at the first picture, so that an input without pictures leaves no files.
    recording: Option<CameraRecording>,
    first_last_ns: Option<(u64, u64)>,
    times: PictureTimes,
    written: u64,
    left_out: u64,
    bar: ProgressBar,
}

impl Import<'_> {
    /// Writes all pictures, the first with the stamp `start_ns`.
    fn copy(
        &mut self,
        input: &mut PictureSource,
        start_ns: u64,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        while !stop.load(Ordering::Relaxed) && self.args.limit != Some(self.written) {
            let Some(read) = input.next_picture()? else {
                break;
            };
            let stamp_ns = start_ns.saturating_add(self.times.next_ns(read.position_ms));
            match read.picture {
                Ok(picture) => {
                    if let Some(damage) = picture.pixels.damage() {
                        let path = picture.path.display();
                        self.bar.suspend(|| tracing::warn!("{path}: {damage}"));
                    }
                    self.write(stamp_ns, &picture)?;
                }
                Err(error) => {
                    self.left_out += 1;
                    self.bar.suspend(|| tracing::warn!("left out: {error}"));
                }
            }
            self.bar.inc(1);
        }
        Ok(())
    }

    fn write(&mut self, stamp_ns: u64, picture: &Picture<'_>) -> anyhow::Result<()> {
        self.check_calibration(picture)?;
        let recording = match &mut self.recording {
            Some(recording) => recording,
            none => {
                let (path, force) = (&self.args.output, self.args.force);
                none.insert(CameraRecording::create(path, force, self.spec.clone())?)
            }
        };
        let written = recording.write(stamp_ns, picture);
        written.with_context(|| picture.path.display().to_string())?;
        self.written += 1;
        let (first, _) = self.first_last_ns.unwrap_or((stamp_ns, stamp_ns));
        self.first_last_ns = Some((first, stamp_ns));
        Ok(())
    }

    fn check_calibration(&self, picture: &Picture<'_>) -> anyhow::Result<()> {
        let Some(info) = &self.spec.info else {
            return Ok(());
        };
        let (width, height) = (picture.pixels.width(), picture.pixels.height());
        if (info.width, info.height) != (width, height) {
            bail!(
                "{}: image size {width}x{height} does not match the size {}x{} in --camera-info",
                picture.path.display(),
                info.width,
                info.height
            );
        }
        Ok(())
    }

    fn print(&self, finished: &WrittenRecording) -> io::Result<()> {
        let mut out = terminal::stdout();
        let frames = format::counted(self.written, "frame");
        // a recording has at least one picture
        let (first, last) = self.first_last_ns.unwrap_or_default();
        let length = last - first;
        let (s, ms) = (length / NS_PER_S, length % NS_PER_S / 1_000_000);
        let (first_s, first_ns) = (first / NS_PER_S, first % NS_PER_S);
        let rate = match self.times.rate() {
            Some(rate) => format!("{rate} per second"),
            None => "the variable rate of the video".to_owned(),
        };
        writeln!(
            out,
            "{frames} in {s}.{ms:03} s, at {rate}, from {first_s}.{first_ns:09}"
        )?;
        if self.left_out > 0 {
            writeln!(out, "{} left out", format::counted(self.left_out, "image"))?;
        }
        for (topic, count) in &finished.topics {
            writeln!(out, "  {topic}  {}", format::counted(*count, "message"))?;
        }
        writeln!(out, "written")?;
        for path in [&finished.mcap, &finished.metadata] {
            writeln!(out, "  {}", path.display())?;
        }
        Ok(())
    }
}

fn now_ns() -> anyhow::Result<u64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.context("the system clock is before 1970; set --start-stamp")?;
    Ok(u64::try_from(now.as_nanos())?)
}
