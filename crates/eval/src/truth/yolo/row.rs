//! One line of YOLO's labels, by the conventions of Ultralytics:
//!
//! - 5 fields: class, and the box's centre and size; a confidence may follow;
//! - an odd number of fields from 7 on: class, and the corners of a polygon. Turned boxes (OBB) are polygons of 4 corners;
//! - where `data.yaml` has `kpt_shape`: class, box, and as many numbers for key points as it says; a confidence may follow.
//!
//! All of them are shares of the image's width and height.

/// Returns the number of a class; some tools write it as a float.
pub fn class(field: &str) -> Option<usize> {
    let class = field.parse::<f64>().ok()?;
    ((0.0..1e9).contains(&class) && class.fract() == 0.0).then_some(class as usize)
}

/// Returns the class of a line and the upright box around what it describes: left, top, width and
/// height. `key_points` is the number of values of key points after a box.
pub fn row(fields: &[&str], key_points: Option<usize>) -> Result<(usize, [f64; 4]), String> {
    let Some((first, rest)) = fields.split_first() else {
        return Err("expected a class and a box, found nothing".to_owned());
    };
    let class = class(first)
        .ok_or_else(|| format!("expected the number of a class, from 0 up, found {first:?}"))?;
    let numbers: Result<Vec<f64>, String> = (rest.iter())
        .map(|field| {
            let number = field.parse();
            number.map_err(|_| format!("expected a number, found {field:?}"))
        })
        .collect();
    let numbers = numbers?;
    match (numbers.as_slice(), key_points) {
        (&[x, y, w, h], _) => Ok((class, around_centre([x, y, w, h]))),
        // an angle, as other tools write it there, would make another box
        (&[x, y, w, h, confidence], _) if (0.0..=1.0).contains(&confidence) => {
            Ok((class, around_centre([x, y, w, h])))
        }
        (&[_, _, _, _, other], _) => Err(format!(
            "expected a confidence from 0 to 1 behind the box, found {other}"
        )),
        (&[x, y, w, h, ref more @ ..], Some(count)) if [count, count + 1].contains(&more.len()) => {
            Ok((class, around_centre([x, y, w, h])))
        }
        (numbers, Some(count)) => Err(format!(
            "expected a box of 4 numbers and {count} of key points, as kpt_shape in data.yaml says, found {} numbers",
            numbers.len()
        )),
        (corners, None) if corners.len() >= 6 && corners.len().is_multiple_of(2) => {
            Ok((class, around(corners)))
        }
        (numbers, None) => Err(format!(
            "expected 4 numbers of a box, or 6 or more of a polygon's corners, found {}; for key points data.yaml needs kpt_shape",
            numbers.len()
        )),
    }
}

fn around_centre([x, y, w, h]: [f64; 4]) -> [f64; 4] {
    [x - w / 2.0, y - h / 2.0, w, h]
}

/// Returns the box around corners, which are x and y in turn. It is NaN if one of them is.
fn around(corners: &[f64]) -> [f64; 4] {
    let side = |axis: usize| {
        let values = corners.iter().skip(axis).step_by(2).copied();
        let (least, most) = values.fold(
            (f64::INFINITY, f64::NEG_INFINITY),
            |(least, most), value| (least.min(value), most.max(value)),
        );
        (least, most - least)
    };
    if corners.iter().any(|value| !value.is_finite()) {
        return [f64::NAN; 4];
    }
    let ((left, width), (top, height)) = (side(0), side(1));
    [left, top, width, height]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str, key_points: Option<usize>) -> Result<(usize, [f64; 4]), String> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        row(&fields, key_points)
    }

    fn close((class, bbox): (usize, [f64; 4]), expected: [f64; 4]) -> bool {
        class == 3
            && bbox
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-12)
    }

    #[test]
    fn boxes_polygons_and_key_points_are_told_apart() {
        let bbox = [0.4, 0.3, 0.2, 0.4];
        for (line, key_points) in [
            ("3 0.5 0.5 0.2 0.4", None),
            ("3.0 0.5 0.5 0.2 0.4 0.87", None),
            (
                "3.000000000000000000e+00 5.0e-01 5.0e-01 2.0e-01 4.0e-01",
                None,
            ),
            // a triangle, a turned box of four corners, a polygon of five
            ("3 0.4 0.3 0.6 0.3 0.5 0.7", None),
            ("3 0.5 0.3 0.6 0.5 0.5 0.7 0.4 0.5", None),
            ("3 0.5 0.3 0.6 0.5 0.5 0.7 0.4 0.5 0.41 0.49", None),
            // two key points with and without visibility, and a confidence
            ("3 0.5 0.5 0.2 0.4 0.1 0.1 2 0.9 0.9 1", Some(6)),
            ("3 0.5 0.5 0.2 0.4 0.1 0.1 0.9 0.9", Some(4)),
            ("3 0.5 0.5 0.2 0.4 0.1 0.1 0.9 0.9 0.8", Some(4)),
            ("3 0.5 0.5 0.2 0.4", Some(4)),
        ] {
            let read = read(line, key_points).unwrap();
            assert!(close(read, bbox), "{line}: {read:?}");
        }
    }

    #[test]
    fn what_is_none_of_them_says_so() {
        for (line, key_points, said) in [
            ("3", None, "found 0"),
            (
                "car 0.5 0.5 0.2 0.4",
                None,
                "the number of a class, from 0 up, found \"car\"",
            ),
            ("-1 0.5 0.5 0.2 0.4", None, "found \"-1\""),
            ("1.5 0.5 0.5 0.2 0.4", None, "found \"1.5\""),
            (
                "3 0,5 0,5 0,2 0,4",
                None,
                "expected a number, found \"0,5\"",
            ),
            ("3 0.5 0.5 0.2", None, "found 3"),
            (
                "3 0.5 0.5 0.2 0.4 -1.57",
                None,
                "a confidence from 0 to 1 behind the box, found -1.57",
            ),
            (
                "3 0.5 0.5 0.2 0.4 0.1 0.1 2",
                None,
                "found 7; for key points data.yaml needs kpt_shape",
            ),
            (
                "3 0.4 0.3 0.6 0.3 0.5 0.7",
                Some(6),
                "and 6 of key points, as kpt_shape in data.yaml says, found 6",
            ),
        ] {
            let error = read(line, key_points).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
        assert!(read("3 0.4 nan 0.6 0.3 0.5 0.7", None).unwrap().1[1].is_nan());
        assert!(read("", None).is_err());
    }

    proptest! {
        #[test]
        fn any_line_is_taken(line in "\\PC{0,40}|([-0-9.einfNa]{1,4} ){4,9}", key_points in prop::option::of(0..9_usize)) {
            let _ = read(&line, key_points);
        }

        #[test]
        fn every_corner_lies_in_the_box(corners in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 3..20)) {
            let line = corners.iter().fold("0".to_owned(), |line, (x, y)| format!("{line} {x} {y}"));
            let (_, [left, top, width, height]) = read(&line, None).unwrap();
            for (x, y) in corners {
                prop_assert!(x >= left && y >= top && x <= left + width + 1e-12 && y <= top + height + 1e-12);
            }
        }
    }
}
