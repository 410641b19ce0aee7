//! A video, a stream or a folder of images as a source of pictures with times.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::folder::{IMAGE_EXTENSIONS, ImageFileError, is_image};
use super::stream::{self, StreamError};
use super::video::{VideoError, VideoFrame};
use super::{FrameRate, FrameTimes, ImageFolder, Picture, StreamAddress, VideoFile, VideoStream};

/// The source of the pictures.
pub enum PictureSource {
    Video(VideoFile),
    /// With its address as messages show it.
    Stream(VideoStream, PathBuf),
    Folder(ImageFolder),
}

/// Why a path is no source of pictures.
#[derive(Debug, Error)]
pub enum PictureSourceError {
    #[error(
        "{}: no images in this folder: expected files with the extensions {}",
        path.display(), IMAGE_EXTENSIONS.join(", ")
    )]
    NoImages { path: PathBuf },
    #[error("{}: expected a video or a folder of images, found a single image", path.display())]
    SingleImage { path: PathBuf },
    #[error(transparent)]
    Folder(#[from] ImageFileError),
    #[error(transparent)]
    Video(#[from] VideoError),
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// A picture of a source. Its error concerns only this picture.
pub struct SourcePicture<'a> {
    pub picture: Result<Picture<'a>, ImageFileError>,
    /// The position in the video in milliseconds, see [`VideoFrame`].
    pub position_ms: Option<f64>,
}

impl PictureSource {
    /// The default frame rate of a folder of images in frames per second.
    const FOLDER_FPS: f64 = 10.0;
    /// The rate of a stream that states none, for the first interval.
    const STREAM_FPS: f64 = 30.0;

    /// Opens a video, a stream or a folder.
    ///
    /// # Errors
    /// The folder has no images, or the path is an image or another file that is no video.
    pub fn open(path: &Path) -> Result<Self, PictureSourceError> {
        let owned = || path.to_owned();
        if let Some(address) = StreamAddress::recognise(path) {
            let stream = VideoStream::open(address)?;
            return Ok(Self::Stream(stream, stream::shown(path)));
        }
        if path.is_dir() {
            let folder = ImageFolder::open(path)?;
            if folder.remaining() == 0 {
                return Err(PictureSourceError::NoImages { path: owned() });
            }
            return Ok(Self::Folder(folder));
        }
        // a GIF may also be a video
        let is_gif = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("gif"));
        if is_image(path) && !is_gif && path.exists() {
            return Err(PictureSourceError::SingleImage { path: owned() });
        }
        Ok(Self::Video(VideoFile::open(path)?))
    }

    /// Returns the frame rate: that of the video, or the default of a folder. `None` if the video
    /// states none.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        match self {
            Self::Video(video) => video.frame_rate(),
            Self::Stream(stream, _) => {
                let stated = stream.frame_rate();
                stated.or_else(|| FrameRate::from_fps(Self::STREAM_FPS))
            }
            Self::Folder(_) => FrameRate::from_fps(Self::FOLDER_FPS),
        }
    }

    /// Returns the number of pictures, which is approximate for a video; `None` if it is unknown.
    pub fn expected_frames(&self) -> Option<u64> {
        match self {
            Self::Video(video) => video.expected_frames(),
            Self::Stream(..) => None,
            Self::Folder(folder) => Some(folder.remaining() as u64),
        }
    }

    /// Returns the times of the pictures: by the video, by the arrival of a stream's, or by `rate` for a
    /// folder.
    pub fn times(&self, rate: FrameRate) -> PictureTimes {
        match self {
            Self::Video(video) => PictureTimes::Own(FrameTimes::new(rate, video.times_ns())),
            Self::Stream(..) => PictureTimes::Own(FrameTimes::new(rate, &[])),
            Self::Folder(_) => PictureTimes::at_rate(rate),
        }
    }

    /// Reads the next picture; `None` after the last.
    ///
    /// # Errors
    /// The video or stream cannot be read any further.
    pub fn next_picture(&mut self) -> Result<Option<SourcePicture<'_>>, PictureSourceError> {
        Ok(match self {
            Self::Video(video) => {
                let frame = video.next_frame()?;
                frame.map(
                    |VideoFrame {
                         picture,
                         position_ms,
                     }| SourcePicture {
                        picture: Ok(picture),
                        position_ms,
                    },
                )
            }
            Self::Stream(stream, shown) => stream.next_frame()?.map(|frame| SourcePicture {
                picture: Ok(Picture {
                    path: shown,
                    pixels: frame.pixels,
                    file: None,
                }),
                position_ms: Some(frame.since_first.as_secs_f64() * 1000.0),
            }),
            Self::Folder(folder) => folder.next_picture().map(|picture| SourcePicture {
                picture,
                position_ms: None,
            }),
        })
    }

    /// Explains why there was no picture.
    pub fn why_empty(&self) -> &'static str {
        match self {
            Self::Video(_) => "OpenCV can open this video but cannot decode any frame",
            Self::Stream(..) => "no picture came from it",
            Self::Folder(_) => "cannot read any image in this folder",
        }
    }

    /// Describes what is missing after the last picture, the `decoded`th: OpenCV reports damage as
    /// the end of a video.
    pub fn shortfall(&self, decoded: u64) -> Option<String> {
        let video = match self {
            Self::Video(video) => video,
            Self::Stream(..) => {
                return Some(format!(
                    "ended by the camera or the network; pictures received: {decoded}"
                ));
            }
            Self::Folder(_) => return None,
        };
        if let Some(stated) = video.stated_frames().filter(|&stated| decoded < stated) {
            return Some(format!(
                "decoded only {decoded} of the {stated} frames that the file states"
            ));
        }
        let (stated, there) = video.cut_short()?;
        Some(format!(
            "truncated: the file has {there} of the {stated} bytes that it states; frames decoded: {decoded}"
        ))
    }
}

/// The times of the pictures, one after another.
#[derive(Debug, Clone)]
pub enum PictureTimes {
    /// At a fixed rate; `frames` is the number of pictures so far.
    Given { rate: FrameRate, frames: u64 },
    /// The times in the video.
    Own(FrameTimes),
}

impl PictureTimes {
    /// Returns times at a fixed rate.
    pub fn at_rate(rate: FrameRate) -> Self {
        Self::Given { rate, frames: 0 }
    }

    /// Returns the nanoseconds from the first picture to the next one, which is at `position_ms` in
    /// the video.
    pub fn next_ns(&mut self, position_ms: Option<f64>) -> u64 {
        match self {
            Self::Given { rate, frames } => {
                *frames += 1;
                rate.time_ns(*frames - 1)
            }
            Self::Own(times) => times.next_ns(position_ms),
        }
    }

    /// Returns the rate of the pictures so far; `None` if it varies.
    pub fn rate(&self) -> Option<FrameRate> {
        match self {
            Self::Given { rate, .. } => Some(*rate),
            Self::Own(times) => times.constant_rate(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_images_and_a_single_image_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| match PictureSource::open(path) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{} was opened", path.display()),
        };
        assert!(error(folder.path()).contains("no images in this folder: expected files"));
        let image = folder.path().join("a.png");
        std::fs::write(&image, "").unwrap();
        assert!(error(&image).contains("found a single image"));
        let source = PictureSource::open(folder.path()).unwrap();
        assert_eq!(source.expected_frames(), Some(1));
        let rate = source.frame_rate().unwrap();
        let mut times = source.times(rate);
        let times = [(); 3].map(|()| times.next_ns(None));
        assert_eq!(times, [0, 100_000_000, 200_000_000]);
        assert_eq!(source.shortfall(0), None);
    }
}
