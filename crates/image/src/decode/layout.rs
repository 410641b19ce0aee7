//! How the encodings of uncompressed images lie in memory.

use opencv::imgproc;

use crate::bgr::{row_bytes, rows_bytes};
use crate::error::DecodeError;
use shuffledet_msg::ImageView;

/// The memory layout of an encoding, and its conversion to BGR.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Layout {
    Bgr,
    Mono16,
    /// One OpenCV conversion of pixels of `channels` bytes.
    Packed {
        channels: u32,
        conversion: i32,
    },
    /// Chroma shared by two pixels of a row, in four bytes.
    Yuv422 {
        conversion: i32,
        /// The position of the first luma; the second is two bytes behind it.
        luma: usize,
        /// The positions of Cb and Cr.
        chroma: [usize; 2],
    },
    /// Full-size luma, then half-size interleaved chroma.
    SemiPlanar {
        conversion: i32,
        /// The positions of Cb and Cr in a pair.
        chroma: [usize; 2],
    },
}

/// Returns the layout of an encoding; `None` if it is not supported.
pub(super) fn layout(encoding: &str) -> Option<Layout> {
    let packed = |channels, conversion| Layout::Packed {
        channels,
        conversion,
    };
    Some(match encoding {
        "bgr8" | "8UC3" => Layout::Bgr,
        "rgb8" => packed(3, imgproc::COLOR_RGB2BGR),
        "bgra8" => packed(4, imgproc::COLOR_BGRA2BGR),
        "rgba8" => packed(4, imgproc::COLOR_RGBA2BGR),
        "mono8" | "8UC1" => packed(1, imgproc::COLOR_GRAY2BGR),
        "mono16" => Layout::Mono16,
        "yuv422" | "uyvy" => Layout::Yuv422 {
            conversion: imgproc::COLOR_YUV2BGR_UYVY,
            luma: 1,
            chroma: [0, 2],
        },
        "yuv422_yuy2" | "yuyv" => Layout::Yuv422 {
            conversion: imgproc::COLOR_YUV2BGR_YUY2,
            luma: 0,
            chroma: [1, 3],
        },
        "nv12" => Layout::SemiPlanar {
            conversion: imgproc::COLOR_YUV2BGR_NV12,
            chroma: [0, 1],
        },
        "nv21" => Layout::SemiPlanar {
            conversion: imgproc::COLOR_YUV2BGR_NV21,
            chroma: [1, 0],
        },
        // OpenCV names a Bayer pattern by the second row's second and third pixels, ROS by the
        // first two rows
        "bayer_rggb8" => packed(1, imgproc::COLOR_BayerBG2BGR),
        "bayer_bggr8" => packed(1, imgproc::COLOR_BayerRG2BGR),
        "bayer_gbrg8" => packed(1, imgproc::COLOR_BayerGR2BGR),
        "bayer_grbg8" => packed(1, imgproc::COLOR_BayerGB2BGR),
        _ => return None,
    })
}

/// Fails unless the data has all the rows given by width, height, step and encoding.
pub(super) fn check_geometry(image: &ImageView<'_>, layout: Layout) -> Result<(), DecodeError> {
    let (width, height, step) = (image.width, image.height, image.step as usize);
    if width == 0 || height == 0 {
        return Err(geometry(image, "has no pixels".to_owned()));
    }
    let channels = match layout {
        Layout::Bgr => 3,
        Layout::Mono16 => 2,
        Layout::Packed { channels, .. } => channels,
        Layout::Yuv422 { .. } => 2,
        Layout::SemiPlanar { .. } => 1,
    };
    let halves_width = matches!(layout, Layout::SemiPlanar { .. } | Layout::Yuv422 { .. });
    let halves_height = matches!(layout, Layout::SemiPlanar { .. });
    if halves_width && width % 2 == 1 || halves_height && height % 2 == 1 {
        let problem = "has an odd side, but its chroma is subsampled by two".to_owned();
        return Err(geometry(image, problem));
    }
    let rows = if halves_height {
        height.checked_add(height / 2)
    } else {
        Some(height)
    };
    let row = row_bytes(width, channels);
    let (Some(row), Some(rows)) = (row, rows.filter(|&rows| i32::try_from(rows).is_ok())) else {
        return Err(geometry(image, "is too large to address".to_owned()));
    };
    if step < row {
        return Err(geometry(
            image,
            format!("needs a step of at least {row} bytes, found {step}"),
        ));
    }
    let needed = rows_bytes(rows, step, row);
    if needed.is_none_or(|needed| image.data.len() < needed) {
        let needed = needed.map_or("more than can be addressed".to_owned(), |n| n.to_string());
        let found = image.data.len();
        let problem = format!("needs {needed} bytes of data at a step of {step}, found {found}");
        return Err(geometry(image, problem));
    }
    Ok(())
}

/// Returns the error of an image whose sides, step and data do not fit together.
pub(super) fn geometry(image: &ImageView<'_>, problem: String) -> DecodeError {
    DecodeError::Geometry {
        width: image.width,
        height: image.height,
        encoding: image.encoding.to_owned(),
        problem,
    }
}
