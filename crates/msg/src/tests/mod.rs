//! Properties of every message type, and the comparison with an independent implementation.

mod big_endian;
mod reference;
mod strategies;

use std::fmt::Debug;

use proptest::prelude::*;

use super::*;
use big_endian::big_endian;

/// A message type under test. Test values borrow from leaked memory, so that one trait serves views
/// and owned types.
trait Message: Sized + PartialEq + Debug + 'static {
    const DEFINITION: &'static Definition;
    fn strategy() -> BoxedStrategy<Self>;
    fn read(cdr: &'static [u8]) -> Result<Self, CdrError>;
    fn encode(&self, out: &mut Vec<u8>);

    /// Bytes that the value allocated.
    fn allocated(&self) -> usize {
        0
    }
}

fn encoded<M: Message>(message: &M) -> &'static [u8] {
    let mut out = Vec::new();
    message.encode(&mut out);
    out.leak()
}

fn decode_inverts_encode<M: Message>(message: M) -> Result<(), TestCaseError> {
    let little = encoded(&message);
    let read = M::read(little);
    prop_assert_eq!(read.as_ref(), Ok(&message));

    let big = big_endian(M::DEFINITION, little).leak();
    let read = M::read(big);
    prop_assert_eq!(read.as_ref(), Ok(&message));

    // a buffer that is used again holds nothing of what it held
    let mut out = vec![0xa5; little.len() + 9];
    let room = out.as_ptr();
    message.encode(&mut out);
    prop_assert_eq!(out.as_slice(), little);
    prop_assert_eq!(out.as_ptr(), room);
    Ok(())
}

/// No bytes may panic, and what is allocated for them is a small multiple of their number.
fn reads_safely<M: Message>(cdr: Vec<u8>) -> Result<(), TestCaseError> {
    let cdr: &'static [u8] = cdr.leak();
    if let Ok(message) = M::read(cdr) {
        let (allocated, given) = (message.allocated(), cdr.len());
        prop_assert!(allocated <= 6 * given, "{allocated} bytes for {given}");
    }
    let _ = HeaderView::parse_first(cdr);
    Ok(())
}

/// A message in either byte order with some bytes changed, then cut off: damage that gets past the
/// first fields.
fn damaged<M: Message>() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let cut = prop_oneof![Just(None), any::<prop::sample::Index>().prop_map(Some)];
    (M::strategy(), any::<bool>(), changes, cut).prop_map(|(message, big, changes, cut)| {
        let mut cdr = encoded(&message).to_vec();
        if big {
            cdr = big_endian(M::DEFINITION, &cdr);
        }
        for (index, byte) in changes {
            let index = index.index(cdr.len());
            cdr[index] = byte;
        }
        if let Some(cut) = cut {
            cdr.truncate(cut.index(cdr.len()));
        }
        cdr
    })
}

/// Bytes without meaning behind a valid encapsulation; small numbers are frequent, so that lengths
/// are often plausible.
fn arbitrary_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(0), 2 => 0..8u8, 1 => any::<u8>()];
    (any::<bool>(), prop::collection::vec(byte, 0..600)).prop_map(|(big, body)| {
        let mut cdr = vec![0, u8::from(!big), 0, 0];
        cdr.extend(body);
        cdr
    })
}

macro_rules! laws {
    ($($name:ident: $message:ty,)*) => { $(mod $name {
        use super::*;

        proptest! {
            #[test]
            fn decode_inverts_encode(message in <$message>::strategy()) {
                super::decode_inverts_encode(message)?;
            }

            #[test]
            fn damage_is_survived(cdr in damaged::<$message>()) {
                reads_safely::<$message>(cdr)?;
            }

            #[test]
            fn arbitrary_bytes_are_survived(cdr in arbitrary_bytes()) {
                reads_safely::<$message>(cdr)?;
            }
        }
    })* };
}

laws! {
    image: ImageView<'static>,
    compressed_image: CompressedImageView<'static>,
    camera_info: CameraInfo,
    detection2d_array: Detection2DArray,
    detection3d_array: Detection3DArray,
    diagnostic_array: DiagnosticArray<'static>,
    label_info: LabelInfo<'static>,
    vision_info: VisionInfo<'static>,
    float64: f64,
}

proptest! {
    #[test]
    fn bytes_without_an_encapsulation_are_survived(cdr: Vec<u8>) {
        reads_safely::<Detection2DArray>(cdr)?;
    }

    #[test]
    fn the_header_of_a_cut_off_message_is_read(image in ImageView::strategy(), lost in 0..1000usize) {
        let cdr = encoded(&image);
        let header = 4 + 8 + 4 + image.header.frame_id.len() + 1;
        let kept = cdr.len().saturating_sub(lost).max(header);
        prop_assert_eq!(HeaderView::parse_first(&cdr[..kept]), Ok(image.header));
    }
}

#[test]
fn a_definition_is_found_by_its_ros_name() {
    for definition in Definition::ALL {
        assert_eq!(Definition::find(definition.name), Some(definition));
    }
    assert_eq!(Definition::find("sensor_msgs/Image"), None);
}
