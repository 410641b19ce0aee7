//! `shuffledet detect`: detects objects in image files, on standard input, in a folder that is watched, or in
//! the pictures of a camera.

mod images;
mod output;
mod watch;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use anyhow::{Context, bail};
use clap::Args;

use super::parameters::ParameterArgs;
use super::{Status, interrupt, output_paths};
use images::ImageRun;
use shuffledet_core::bounded_file::{self, PICTURE_LIMIT};
use shuffledet_image::{StreamAddress, VideoStream};
use watch::WatchedFolder;

#[derive(Debug, Args)]
#[command(after_help = "\
--watch and a camera end with Ctrl-C or after --limit images. The image at work is finished.
User and password of an RTSP address are in no message and no output.
Exit code: 0 if every image was processed, 2 if some failed, 1 on an error.")]
pub struct DetectArgs {
    /// Image files in any format that OpenCV reads, whatever their names; - for an image on standard
    /// input; or one camera: /dev/video0, or an rtsp:// address
    #[arg(required_unless_present = "watch", value_name = "IMAGE")]
    images: Vec<PathBuf>,

    /// Detect in each image that is written into this folder or moved there, once it is complete
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "images",
        help_heading = "Selection"
    )]
    watch: Option<PathBuf>,

    /// Maximum number of images of a watched folder or a camera
    #[arg(long, value_name = "N", help_heading = "Selection")]
    limit: Option<u64>,

    #[command(flatten)]
    parameters: ParameterArgs,

    /// Print only one JSON object per image and line on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Write each image with its boxes to this folder as JPEG
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    draw: Option<PathBuf>,

    /// Overwrite existing drawn images
    #[arg(long, requires = "draw", help_heading = "Output")]
    force: bool,
}

/// The images that the command line names.
enum Input<'a> {
    /// With the paths of the drawn images, if they are drawn.
    Files(Option<Vec<PathBuf>>),
    Folder(&'a Path),
    Camera(StreamAddress),
}

/// The path that stands for standard input.
const STANDARD_INPUT: &str = "-";

pub fn run(args: &DetectArgs) -> anyhow::Result<Status> {
    let input = input(args)?;
    let loaded = args.parameters.load()?;
    let mut run = ImageRun::new(&loaded, args.json, args.draw.as_deref(), args.force)?;
    match input {
        Input::Files(targets) => {
            for (index, path) in args.images.iter().enumerate() {
                let target = targets.as_ref().map(|targets| targets[index].as_path());
                run.file(&path.display().to_string(), read(path), target)?;
            }
        }
        Input::Folder(folder) => {
            let stop = interrupt::listen().context("listening for signals")?;
            watch(&mut run, folder, args.limit, &stop)?;
        }
        Input::Camera(address) => {
            let stop = interrupt::listen().context("listening for signals")?;
            follow(&mut run, address, args.limit, &stop)?;
        }
    }
    Ok(run.status())
}

fn input(args: &DetectArgs) -> anyhow::Result<Input<'_>> {
    if let Some(folder) = &args.watch {
        if let Some(drawn) = args.draw.as_deref()
            && output_paths::is_same(folder, drawn)
        {
            bail!(
                "--draw {}: this folder is watched, so drawn images would be detected again; choose another folder",
                drawn.display()
            );
        }
        return Ok(Input::Folder(folder));
    }
    let streams = args.images.iter();
    let mut streams = streams.filter_map(|path| StreamAddress::recognise(path));
    if let Some(address) = streams.next() {
        if args.images.len() > 1 {
            bail!("{address}: a camera must be the only input; leave out the others");
        }
        return Ok(Input::Camera(address));
    }
    let from_input = args.images.iter();
    let from_input = from_input.filter(|path| *path == Path::new(STANDARD_INPUT));
    if from_input.count() > 1 {
        bail!("- is given twice: standard input holds one image");
    }
    let targets = args.draw.as_deref().map(|draw| draw_targets(args, draw));
    Ok(Input::Files(targets.transpose()?))
}

/// Reads a whole image file, or standard input for `-`.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new(STANDARD_INPUT) {
        return bounded_file::read(path, PICTURE_LIMIT);
    }
    let stdin = io::stdin();
    if io::IsTerminal::is_terminal(&stdin) {
        let text = "expected an image on standard input, found a terminal; for example: shuffledet detect - < a.jpg";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let bytes = bounded_file::read_stream(stdin.lock(), PICTURE_LIMIT)?;
    if bytes.is_empty() {
        let text =
            "expected an image on standard input, found nothing; check the command before the pipe";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
    }
    Ok(bytes)
}

/// Detects in the images that appear in `folder`, until a signal or `limit`.
fn watch(
    run: &mut ImageRun<'_>,
    folder: &Path,
    limit: Option<u64>,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let mut watched = WatchedFolder::open(folder)?;
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) && limit != Some(count) {
        let Some(path) = watched.next_image()? else {
            continue;
        };
        let target = run.target(&drawn_name(&path));
        run.file(&path.display().to_string(), read(&path), target.as_deref())?;
        count += 1;
    }
    Ok(())
}

/// Detects in the pictures of a camera, until it ends, a signal or `limit`.
fn follow(
    run: &mut ImageRun<'_>,
    address: StreamAddress,
    limit: Option<u64>,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let shown = address.to_string();
    let mut stream = VideoStream::open(address)?;
    let (mut count, mut first_ns) = (0, None);
    while !stop.load(Ordering::Relaxed) && limit != Some(count) {
        let Some(frame) = stream.next_frame()? else {
            bail!("{shown}: ended by the camera or the network; images received: {count}");
        };
        let first_ns = *first_ns.get_or_insert_with(now_ns);
        let since_ns = u64::try_from(frame.since_first.as_nanos()).unwrap_or(u64::MAX);
        let stamp_ns = first_ns.map(|first_ns| first_ns.saturating_add(since_ns));
        count += 1;
        let target = run.target(&format!("frame_{count:06}.jpg"));
        run.picture(&shown, &frame.pixels, stamp_ns, target.as_deref())?;
    }
    Ok(())
}

/// Returns nanoseconds since 1970; `None` if the clock is before.
fn now_ns() -> Option<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.ok()?.as_nanos()).ok()
}

/// Returns the name of an image with `.jpg`.
fn drawn_name(image: &Path) -> String {
    let stem = match image == Path::new(STANDARD_INPUT) {
        true => Path::new("stdin").as_os_str(),
        false => image.file_stem().unwrap_or_default(),
    };
    format!("{}.jpg", stem.to_string_lossy())
}

/// Returns the output path of each image: its name with `.jpg`. Fails if two paths are equal, if
/// one is an input image, or if one exists without `--force`.
fn draw_targets(args: &DetectArgs, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let resolved = args
        .images
        .iter()
        .filter_map(|image| image.canonicalize().ok());
    let originals: HashSet<PathBuf> = resolved.collect();
    let mut targets: Vec<PathBuf> = Vec::new();
    for image in &args.images {
        if image.file_stem().is_none() {
            bail!("{}: expected an image file", image.display());
        }
        let target = folder.join(drawn_name(image));
        if targets.contains(&target) {
            bail!(
                "--draw: two images would be written to {}; rename one of them",
                target.display()
            );
        }
        if target
            .canonicalize()
            .is_ok_and(|target| originals.contains(&target))
        {
            bail!(
                "--draw {}: would overwrite the input image {}; choose another folder",
                folder.display(),
                target.display()
            );
        }
        output_paths::check_file(&target, args.force)?;
        targets.push(target);
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: DetectArgs,
    }

    #[test]
    fn drawn_images_never_replace_those_that_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("a.jpg");
        fs::write(&image, b"mine").unwrap();
        let targets = |draw: &Path| {
            let line = [
                Path::new("detect"),
                &image,
                Path::new("--force"),
                Path::new("--draw"),
                draw,
            ];
            draw_targets(&Line::parse_from(line).args, draw)
        };
        let error = targets(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("a.jpg") && error.contains("choose another folder"),
            "{error}"
        );
        let other = folder.path().join("drawn");
        assert_eq!(targets(&other).unwrap(), [other.join("a.jpg")]);
    }
}
