//! Distinguishes pictures from measurements, such as depth maps.

use shuffledet_msg::{CdrError, CompressedImageView, ImageView};

/// All encodings that [`ImageDecoder::decode_raw`](super::ImageDecoder::decode_raw) decodes.
pub const SUPPORTED: [&str; 18] = [
    "bgr8",
    "rgb8",
    "bgra8",
    "rgba8",
    "mono8",
    "mono16",
    "8UC1",
    "8UC3",
    "yuv422",
    "yuv422_yuy2",
    "nv12",
    "nv21",
    "bayer_rggb8",
    "bayer_bggr8",
    "bayer_gbrg8",
    "bayer_grbg8",
    "uyvy",
    "yuyv",
];

/// Whether pixels of this encoding are measured values rather than a picture: OpenCV types without
/// a colour, as from depth cameras. `mono16` has the bytes of `16UC1` but is a picture.
pub fn is_measurement(encoding: &str) -> bool {
    let Some((depth, channels)) = encoding.split_once('C') else {
        return false;
    };
    let depths = ["8S", "16U", "16S", "16F", "32S", "32F", "64F"];
    depths.contains(&depth)
        && !channels.is_empty()
        && channels.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the encoding of a compressed image that is not a picture, from image_transport's
/// `format`: `16UC1; png compressed `, or `32FC1; compressedDepth png`. Returns `None` for a
/// picture.
pub fn compressed_measurement<'a>(image: &CompressedImageView<'a>) -> Option<&'a str> {
    /// The size of the header that `compressedDepth` puts before a PNG file.
    const DEPTH_HEADER: usize = 12;
    let (encoding, how) = image.format.split_once(';').unwrap_or((image.format, ""));
    let (encoding, how) = (encoding.trim(), how.trim_start());
    let is_depth_png = || {
        let file = image.data.get(DEPTH_HEADER..);
        file.is_some_and(|file| file.starts_with(b"\x89PNG\r\n\x1a\n"))
    };
    if is_measurement(encoding) {
        Some(encoding)
    } else if how.starts_with("compressedDepth") || is_depth_png() {
        Some("compressedDepth")
    } else {
        None
    }
}

/// Returns the encoding of an image message that is not a picture; `None` for a picture.
///
/// Errors: the bytes are not an image message.
pub fn measurement(compressed: bool, message: &[u8]) -> Result<Option<&str>, CdrError> {
    if compressed {
        return Ok(compressed_measurement(&CompressedImageView::parse(
            message,
        )?));
    }
    let encoding = ImageView::parse(message)?.encoding;
    Ok(is_measurement(encoding).then_some(encoding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_msg::HeaderView;

    #[test]
    fn no_supported_encoding_is_a_measurement() {
        assert!(SUPPORTED.iter().all(|encoding| !is_measurement(encoding)));
        for depth in ["16UC1", "32FC1", "64FC3", "16SC2", "8SC1", "32SC10"] {
            assert!(is_measurement(depth), "{depth}");
        }
        for other in [
            "",
            "C",
            "16UC",
            "32FCx",
            "rgb16",
            "8UC4",
            "bayer_rggb16",
            "C1",
        ] {
            assert!(!is_measurement(other), "{other}");
        }
    }

    #[test]
    fn the_format_says_what_was_compressed() {
        let measured = |format, data| {
            let header = HeaderView::default();
            let image = CompressedImageView {
                header,
                format,
                data,
            };
            compressed_measurement(&image)
        };
        let png = b"\x89PNG\r\n\x1a\n".as_slice();
        let depth = [&[0; 12], png].concat();
        assert_eq!(measured("16UC1; png compressed ", png), Some("16UC1"));
        assert_eq!(
            measured("16UC1; jpeg compressed mono8", b"\xff\xd8"),
            Some("16UC1")
        );
        assert_eq!(
            measured("32FC1; compressedDepth png", &depth),
            Some("32FC1")
        );
        assert_eq!(
            measured("mono16; compressedDepth rvl", b""),
            Some("compressedDepth")
        );
        assert_eq!(measured("png", &depth), Some("compressedDepth"));
        for picture in [
            "png",
            "",
            "bgr8; jpeg compressed bgr8",
            "mono16; png compressed ",
        ] {
            assert_eq!(measured(picture, png), None, "{picture}");
        }
    }
}
