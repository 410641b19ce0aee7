//! Where the annotations and the images are.

use std::error::Error;
use std::path::{Path, PathBuf};

use shuffledet_bag::Recording;
use shuffledet_core::bounded_file::{self, DATA_LIMIT};
use shuffledet_core::sha256;

use super::GroundTruthError;
use crate::truth::{
    Format, ImageFiles, Truth, TruthError, parse_coco, read_bag, read_kitti, read_yolo,
};
use crate::{ClassMap, ImageSource, Problems};

/// The annotations.
pub enum AnnotationSource<'a> {
    /// A COCO file, which may be a pipe, or a folder of labels. Without a format, the content
    /// decides.
    Path {
        path: &'a Path,
        format: Option<Format>,
    },
    /// Messages of a recording that annotate the images of one topic.
    Topic {
        recording: &'a Recording,
        topic: &'a str,
        image_topic: &'a str,
    },
}

/// The images.
pub enum ImageLocation<'a> {
    Folder(ImageFolder<'a>),
    Recording,
}

/// The paths of images, or why a folder cannot be listed.
pub type ImageList = Result<Vec<PathBuf>, Box<dyn Error + Send + Sync>>;

/// A folder of image files. The caller supplies what needs an image decoder.
#[derive(Clone, Copy)]
pub struct ImageFolder<'a> {
    pub path: &'a Path,
    /// Lists the images in the order in which they are evaluated. Only labels without a list of
    /// their own need it.
    pub list: &'a dyn Fn(&Path) -> ImageList,
    /// Returns width and height in pixels; `None` if the file is no image.
    pub size: &'a dyn Fn(&Path) -> Option<(u32, u32)>,
}

/// Annotations before regions and limit.
pub(super) struct AnnotationsRead {
    pub truth: Truth,
    pub problems: Problems,
    /// The path or the topic.
    pub annotations: String,
    pub format: &'static str,
    /// Of the file, if they are one.
    pub sha256: Option<String>,
}

impl AnnotationSource<'_> {
    pub(super) fn read(
        &self,
        images: &ImageLocation<'_>,
        map: &ClassMap,
    ) -> Result<AnnotationsRead, GroundTruthError> {
        match *self {
            AnnotationSource::Path { path, format } => {
                let format = format.map_or_else(|| Format::guess(path), Ok)?;
                read_path(path, format, images, map)
            }
            AnnotationSource::Topic {
                recording,
                topic,
                image_topic,
            } => {
                let (truth, problems) = read_bag(recording, topic, image_topic, map)?;
                Ok(AnnotationsRead {
                    truth,
                    problems,
                    annotations: topic.to_owned(),
                    format: "bag",
                    sha256: None,
                })
            }
        }
    }
}

fn read_path(
    path: &Path,
    format: Format,
    images: &ImageLocation<'_>,
    map: &ClassMap,
) -> Result<AnnotationsRead, GroundTruthError> {
    let (truth, problems, sha256) = match (format, images) {
        (Format::Coco, _) => {
            // read once, because a pipe gives its content only once
            let bytes =
                bounded_file::read_or_pipe(path, DATA_LIMIT).map_err(TruthError::io(path))?;
            let (mut truth, mut problems) = parse_coco(&bytes, path)?;
            truth.rename(map);
            truth.check_renamed(path, &mut problems)?;
            (truth, problems, Some(sha256(&bytes)))
        }
        (_, ImageLocation::Recording) => {
            return Err(GroundTruthError::LabelsOfFiles {
                path: path.to_owned(),
                format: format.name(),
            });
        }
        (_, ImageLocation::Folder(folder)) => {
            let files = (folder.list)(folder.path).map_err(GroundTruthError::Images)?;
            let images = ImageFiles {
                folder: folder.path,
                files: &files,
                size: folder.size,
            };
            let (truth, problems) = match format {
                Format::Kitti => read_kitti(path, images, map)?,
                _ => read_yolo(path, images, map)?,
            };
            (truth, problems, None)
        }
    };
    Ok(AnnotationsRead {
        truth,
        problems,
        annotations: path.display().to_string(),
        format: format.name(),
        sha256,
    })
}

impl ImageLocation<'_> {
    /// Fails if annotations of image files are given with a recording, or the reverse.
    pub(super) fn check(&self, truth: &Truth, annotations: &str) -> Result<(), GroundTruthError> {
        for image in &truth.images {
            match (self, &image.source) {
                (ImageLocation::Folder(_), ImageSource::Message { .. }) => {
                    return Err(GroundTruthError::ImagesInRecording {
                        annotations: annotations.to_owned(),
                        image: image.source.title(),
                    });
                }
                (ImageLocation::Recording, ImageSource::File { .. }) => {
                    return Err(GroundTruthError::ImagesInFiles {
                        annotations: annotations.to_owned(),
                        image: image.source.title(),
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}
