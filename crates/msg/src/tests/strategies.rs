//! Arbitrary messages of every type.

use std::mem::size_of;

use proptest::collection::vec;
use proptest::prelude::*;

use super::Message;
use crate::*;

fn text() -> impl Strategy<Value = &'static str> {
    any::<String>().prop_map(|text| &*text.leak())
}

fn data() -> impl Strategy<Value = &'static [u8]> {
    any::<Vec<u8>>().prop_map(|data| &*data.leak())
}

fn header() -> impl Strategy<Value = HeaderView<'static>> {
    (any::<i32>(), any::<u32>(), text()).prop_map(|(sec, nanosec, frame_id)| HeaderView {
        stamp: Stamp { sec, nanosec },
        frame_id,
    })
}

/// The methods of [`Message`] for types that parse and write themselves.
macro_rules! parsed_and_written {
    () => {
        fn read(cdr: &'static [u8]) -> Result<Self, CdrError> {
            Self::parse(cdr)
        }

        fn encode(&self, out: &mut Vec<u8>) {
            self.write(out).unwrap();
        }
    };
}

impl Message for ImageView<'static> {
    const DEFINITION: &'static Definition = &definition::IMAGE;

    fn strategy() -> BoxedStrategy<Self> {
        (header(), any::<[u32; 3]>(), text(), any::<bool>(), data())
            .prop_map(
                |(header, [height, width, step], encoding, is_bigendian, data)| ImageView {
                    header,
                    height,
                    width,
                    encoding,
                    is_bigendian,
                    step,
                    data,
                },
            )
            .boxed()
    }

    parsed_and_written!();
}

impl Message for CompressedImageView<'static> {
    const DEFINITION: &'static Definition = &definition::COMPRESSED_IMAGE;

    fn strategy() -> BoxedStrategy<Self> {
        (header(), text(), data())
            .prop_map(|(header, format, data)| CompressedImageView {
                header,
                format,
                data,
            })
            .boxed()
    }

    parsed_and_written!();
}

impl Message for CameraInfo {
    const DEFINITION: &'static Definition = &definition::CAMERA_INFO;

    fn strategy() -> BoxedStrategy<Self> {
        let matrices = (any::<[f64; 9]>(), any::<[f64; 9]>(), any::<[f64; 12]>());
        let distortion = (any::<String>(), vec(any::<f64>(), 0..15));
        (
            header(),
            any::<[u32; 8]>(),
            distortion,
            matrices,
            any::<bool>(),
        )
            .prop_map(
                |(header, n, (distortion_model, d), (k, r, p), do_rectify)| CameraInfo {
                    header: header.into(),
                    height: n[0],
                    width: n[1],
                    distortion_model,
                    d,
                    k,
                    r,
                    p,
                    binning_x: n[2],
                    binning_y: n[3],
                    roi: RegionOfInterest {
                        x_offset: n[4],
                        y_offset: n[5],
                        height: n[6],
                        width: n[7],
                        do_rectify,
                    },
                },
            )
            .boxed()
    }

    parsed_and_written!();

    fn allocated(&self) -> usize {
        self.header.frame_id.capacity()
            + self.distortion_model.capacity()
            + self.d.capacity() * size_of::<f64>()
    }
}

/// Only what [`write_detections`] can express.
impl Message for Detection2DArray {
    const DEFINITION: &'static Definition = &definition::DETECTION2D_ARRAY;

    fn strategy() -> BoxedStrategy<Self> {
        let hypotheses = vec((text(), any::<f64>()), 0..4);
        let detection = (hypotheses, any::<[f64; 4]>(), text());
        (header(), header(), vec(detection, 0..8))
            .prop_map(|(header, of_each, detections)| Detection2DArray {
                header: header.into(),
                detections: detections
                    .into_iter()
                    .map(|(hypotheses, n, id)| Detection2D {
                        header: of_each.into(),
                        results: hypotheses
                            .into_iter()
                            .map(|(class_id, score)| ObjectHypothesisWithPose {
                                class_id: class_id.to_owned(),
                                score,
                                ..Default::default()
                            })
                            .collect(),
                        bbox: BoundingBox2D {
                            center_x: n[0],
                            center_y: n[1],
                            theta: 0.0,
                            size_x: n[2],
                            size_y: n[3],
                        },
                        id: id.to_owned(),
                    })
                    .collect(),
            })
            .boxed()
    }

    fn read(cdr: &'static [u8]) -> Result<Self, CdrError> {
        Self::parse(cdr)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let detections = self.detections.iter().map(|d| DetectionRef {
            hypotheses: d.results.iter().map(|result| HypothesisRef {
                class_id: &result.class_id,
                score: result.score,
                pose: result.pose,
            }),
            center_x: d.bbox.center_x,
            center_y: d.bbox.center_y,
            size_x: d.bbox.size_x,
            size_y: d.bbox.size_y,
            id: &d.id,
        });
        let (header, first) = (self.header.view(), self.detections.first());
        let of_each = first.map_or(header, |first| first.header.view());
        write_detections(out, header, of_each, detections).unwrap();
    }

    fn allocated(&self) -> usize {
        let mut bytes = self.header.frame_id.capacity();
        bytes += self.detections.capacity() * size_of::<Detection2D>();
        for detection in &self.detections {
            bytes += detection.header.frame_id.capacity() + detection.id.capacity();
            bytes += detection.results.capacity() * size_of::<ObjectHypothesisWithPose>();
            for result in &detection.results {
                bytes += result.class_id.capacity();
            }
        }
        bytes
    }
}

/// Only what [`write_detections_3d`] can express.
impl Message for Detection3DArray {
    const DEFINITION: &'static Definition = &definition::DETECTION3D_ARRAY;

    fn strategy() -> BoxedStrategy<Self> {
        let pose = (any::<[f64; 7]>(), vec(any::<f64>(), 36));
        let detection = (text(), any::<f64>(), pose, any::<[f64; 6]>(), text());
        (header(), header(), vec(detection, 0..6))
            .prop_map(|(header, of_each, detections)| Detection3DArray {
                header: header.into(),
                detections: detections
                    .into_iter()
                    .map(|(class_id, score, (pose, covariance), n, id)| Detection3D {
                        header: of_each.into(),
                        results: vec![ObjectHypothesisWithPose {
                            class_id: class_id.to_owned(),
                            score,
                            pose: PoseWithCovariance {
                                position: [pose[0], pose[1], pose[2]],
                                orientation: [pose[3], pose[4], pose[5], pose[6]],
                                covariance: covariance.try_into().unwrap(),
                            },
                        }],
                        bbox: BoundingBox3D {
                            center: [n[0], n[1], n[2]],
                            orientation: [0.0, 0.0, 0.0, 1.0],
                            size: [n[3], n[4], n[5]],
                        },
                        id: id.to_owned(),
                    })
                    .collect(),
            })
            .boxed()
    }

    fn read(cdr: &'static [u8]) -> Result<Self, CdrError> {
        Self::parse(cdr)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let detections = self.detections.iter().map(|d| Detection3DRef {
            hypothesis: HypothesisRef {
                class_id: &d.results[0].class_id,
                score: d.results[0].score,
                pose: d.results[0].pose,
            },
            center: d.bbox.center,
            size: d.bbox.size,
            id: &d.id,
        });
        let (header, first) = (self.header.view(), self.detections.first());
        let of_each = first.map_or(header, |first| first.header.view());
        write_detections_3d(out, header, of_each, detections).unwrap();
    }

    fn allocated(&self) -> usize {
        let mut bytes = self.header.frame_id.capacity();
        bytes += self.detections.capacity() * size_of::<Detection3D>();
        for detection in &self.detections {
            bytes += detection.header.frame_id.capacity() + detection.id.capacity();
            bytes += detection.results.capacity() * size_of::<ObjectHypothesisWithPose>();
            for result in &detection.results {
                bytes += result.class_id.capacity();
            }
        }
        bytes
    }
}

impl Message for DiagnosticArray<'static> {
    const DEFINITION: &'static Definition = &definition::DIAGNOSTIC_ARRAY;

    fn strategy() -> BoxedStrategy<Self> {
        let level = prop_oneof![
            Just(Level::Ok),
            Just(Level::Warn),
            Just(Level::Error),
            Just(Level::Stale)
        ];
        let status = (level, text(), text(), text(), vec((text(), text()), 0..4)).prop_map(
            |(level, name, message, hardware_id, values)| DiagnosticStatus {
                level,
                name,
                message,
                hardware_id,
                values: values.into(),
            },
        );
        (header(), vec(status, 0..4))
            .prop_map(|(header, status)| DiagnosticArray { header, status })
            .boxed()
    }

    fn read(cdr: &'static [u8]) -> Result<Self, CdrError> {
        Self::parse(cdr)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write_diagnostics(out, self.header, &self.status).unwrap();
    }

    fn allocated(&self) -> usize {
        let values = self.status.iter().map(|status| status.values.len());
        self.status.capacity() * size_of::<DiagnosticStatus<'_>>()
            + values.sum::<usize>() * size_of::<(&str, &str)>()
    }
}

impl Message for LabelInfo<'static> {
    const DEFINITION: &'static Definition = &definition::LABEL_INFO;

    fn strategy() -> BoxedStrategy<Self> {
        let class = (any::<u16>(), text()).prop_map(|(class_id, class_name)| VisionClass {
            class_id,
            class_name,
        });
        (header(), vec(class, 0..8), any::<f32>())
            .prop_map(|(header, class_map, threshold)| LabelInfo {
                header,
                class_map: class_map.into(),
                threshold,
            })
            .boxed()
    }

    parsed_and_written!();

    fn allocated(&self) -> usize {
        self.class_map.len() * size_of::<VisionClass<'_>>()
    }
}

impl Message for VisionInfo<'static> {
    const DEFINITION: &'static Definition = &definition::VISION_INFO;

    fn strategy() -> BoxedStrategy<Self> {
        (header(), text(), text(), any::<i32>())
            .prop_map(
                |(header, method, database_location, database_version)| VisionInfo {
                    header,
                    method,
                    database_location,
                    database_version,
                },
            )
            .boxed()
    }

    parsed_and_written!();
}

impl Message for f64 {
    const DEFINITION: &'static Definition = &definition::FLOAT64;

    fn strategy() -> BoxedStrategy<Self> {
        any::<f64>().boxed()
    }

    fn read(cdr: &'static [u8]) -> Result<Self, CdrError> {
        float64::parse(cdr)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        float64::write(*self, out);
    }
}
