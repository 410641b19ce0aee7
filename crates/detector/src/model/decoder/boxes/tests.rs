use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const SIZE: (u32, u32) = (64, 32);
const CLASSES: usize = 3;

/// Decodes the features of each box, given in `rows`, after arranging them as `layout` says.
fn decode(layout: BoxLayout, rows: &[Vec<f32>], least: f32) -> Result<Vec<Detection>, BadOutput> {
    let features = layout.classes_at + CLASSES;
    let (shape, output) = match layout.axes[0] {
        Axis::Boxes => ([rows.len(), features], rows.concat()),
        Axis::Features => {
            let feature = |at: usize| rows.iter().map(move |row| row[at]);
            (
                [features, rows.len()],
                (0..features).flat_map(feature).collect(),
            )
        }
    };
    let shapes = [shape.map(|d| d as i64).to_vec()];
    let decoder = Boxes::new(SIZE, CLASSES, layout, &shapes).unwrap();
    assert_eq!(decoder.output_lengths(), [output.len()]);
    let mut found = Vec::new();
    decoder.decode(&output, least, |_| least, &mut found)?;
    Ok(found)
}

fn layout() -> impl Strategy<Value = BoxLayout> {
    let form = prop_oneof![
        Just(BoxForm::CxCyWh),
        Just(BoxForm::XyXy),
        Just(BoxForm::XyWh)
    ];
    let activation = prop_oneof![Just(Activation::None), Just(Activation::Sigmoid)];
    let class_activation = prop_oneof![
        Just(ClassActivation::None),
        Just(ClassActivation::Sigmoid),
        Just(ClassActivation::Softmax)
    ];
    let objectness = prop_oneof![Just(None), Just(Some(4)), Just(Some(5))];
    (
        form,
        activation,
        class_activation,
        objectness,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(form, objectness_activation, class_activation, objectness_at, shares, turned)| {
                let axes = [Axis::Boxes, Axis::Features];
                BoxLayout {
                    axes: if turned { [axes[1], axes[0]] } else { axes },
                    form,
                    unit: if shares { Unit::Shares } else { Unit::Pixels },
                    objectness_at,
                    objectness_activation,
                    classes_at: 6,
                    class_activation,
                    boxes_per_cell: None,
                }
            },
        )
}

/// Rows whose values are valid in every layout, more than a block of them.
fn rows() -> impl Strategy<Value = Vec<Vec<f32>>> {
    vec(vec(0f32..=1.0, 6 + CLASSES), 1..150)
}

#[test]
fn a_box_is_where_its_layout_says() {
    let row = |a: [f32; 4]| [&a[..], &[0.5, 0.0, 0.8, 0.1]].concat();
    let at = |layout: BoxLayout, a| decode(layout, &[row(a)], 0.3).unwrap()[0];
    let expected = BBox {
        x1: 8.0,
        y1: 4.0,
        x2: 24.0,
        y2: 20.0,
    };
    let plain = BoxLayout::YOLOV5;
    let shares = BoxLayout {
        unit: Unit::Shares,
        ..plain
    };
    let with = |form| BoxLayout { form, ..plain };
    for (layout, numbers) in [
        (plain, [16.0, 12.0, 16.0, 16.0]),
        (shares, [0.25, 0.375, 0.25, 0.5]),
        (with(BoxForm::XyXy), [8.0, 4.0, 24.0, 20.0]),
        (with(BoxForm::XyWh), [8.0, 4.0, 16.0, 16.0]),
    ] {
        let found = at(layout, numbers);
        assert_eq!((found.class_id, found.bbox), (1, expected), "{layout:?}");
        assert!((found.score - 0.4).abs() < 1e-6);
    }
}

#[test]
fn shapes_that_fit_no_layout_are_refused() {
    let new = |layout, shapes: &[Vec<i64>]| Boxes::new((640, 640), 80, layout, shapes);
    let length = |boxes: Boxes| boxes.output_lengths()[0];
    let (v5, v8) = (BoxLayout::YOLOV5, BoxLayout::YOLOV8);
    let fixed = BoxLayout {
        boxes_per_cell: None,
        ..v5
    };
    // the maps of older exports follow
    let with_maps = [vec![1, 25200, 85], vec![1, 3, 80, 80, 85]];
    assert_eq!(length(new(v5, &with_maps).unwrap()), 25200 * 85);
    assert_eq!(length(new(v5, &[vec![-1, -1, 85]]).unwrap()), 25200 * 85);
    assert_eq!(length(new(v8, &[vec![-1, 84, -1]]).unwrap()), 8400 * 84);
    assert_eq!(length(new(fixed, &[vec![7, 85]]).unwrap()), 7 * 85);
    for (layout, shape, text) in [
        (v5, vec![1, 84, 8400], "[boxes, 85]"),
        (v8, vec![1, 8400, 84], "[84, boxes]"),
        (v8, vec![2, 84, 8400], "[84, boxes]"),
        (fixed, vec![-1, -1, 85], "dynamic axes"),
        (v5, vec![1, 0, 85], "1 to 1048576"),
        (v5, vec![1, i64::MAX, 85], "1 to 1048576"),
        (v5, vec![], "[boxes, 85]"),
    ] {
        let error = new(layout, &[shape]).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert!(new(v5, &[]).is_err());
}

proptest! {
    #[test]
    fn the_order_of_the_axes_does_not_matter(layout in layout(), rows in rows(), least in 0f32..1.0) {
        let [a, b] = layout.axes;
        let turned = BoxLayout { axes: [b, a], ..layout };
        prop_assert_eq!(decode(layout, &rows, least), decode(turned, &rows, least));
    }

    #[test]
    fn a_threshold_only_selects(layout in layout(), rows in rows(), threshold in 0f32..1.0) {
        let all = decode(layout, &rows, -1.0).unwrap();
        prop_assert_eq!(all.len(), rows.len());
        prop_assert!(all.iter().all(|d| (0.0..=1.0).contains(&d.score) && d.class_id < CLASSES));
        let above: Vec<_> = all.into_iter().filter(|d| d.score > threshold).collect();
        prop_assert_eq!(decode(layout, &rows, threshold).unwrap(), above);
    }

    #[test]
    fn activations_of_the_decoder_are_those_of_a_graph(layout in layout(), rows in rows(), least in 0f32..1.0) {
        // the same probabilities, but computed here
        let plain = BoxLayout {
            objectness_activation: Activation::None,
            class_activation: ClassActivation::None,
            ..layout
        };
        let mut activated = rows.clone();
        for row in &mut activated {
            if let (Some(at), Activation::Sigmoid) = (layout.objectness_at, layout.objectness_activation) {
                row[at] = 1.0 / (1.0 + (-row[at]).exp());
            }
            let classes = &mut row[6..];
            let sum: f32 = classes.iter().map(|class| class.exp()).sum();
            for class in classes {
                *class = match layout.class_activation {
                    ClassActivation::None => *class,
                    ClassActivation::Sigmoid => 1.0 / (1.0 + (-*class).exp()),
                    ClassActivation::Softmax => class.exp() / sum,
                };
            }
        }
        let found = decode(layout, &rows, least).unwrap();
        let expected = decode(plain, &activated, least).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            // a score at the threshold may fall either way
            if found.bbox != expected.bbox {
                prop_assert!((found.score - least).abs() < 1e-5 || (expected.score - least).abs() < 1e-5);
                break;
            }
            prop_assert!((found.score - expected.score).abs() < 1e-5);
        }
    }

    #[test]
    fn a_value_that_is_no_number_is_named(
        layout in layout(), mut rows in rows(), at in any::<[prop::sample::Index; 2]>(),
    ) {
        let (row, feature) = (at[0].index(rows.len()), at[1].index(6 + CLASSES));
        rows[row][feature] = f32::NAN;
        let error = decode(layout, &rows, f32::INFINITY).unwrap_err();
        prop_assert_eq!(error.position, match layout.axes[0] {
            Axis::Boxes => row * (6 + CLASSES) + feature,
            Axis::Features => feature * rows.len() + row,
        });
    }

    #[test]
    fn logits_where_probabilities_belong_are_named_with_the_key(mut rows in rows(), logit in 2f32..9.0) {
        let layout = BoxLayout { classes_at: 6, ..BoxLayout::YOLOV5 };
        rows[0][4] = logit;
        let error = decode(layout, &rows, 0.5).unwrap_err().to_string();
        prop_assert!(error.contains("objectness_activation: sigmoid"), "{}", error);
        rows[0][4] = 1.0;
        rows[0][7] = -logit;
        let error = decode(layout, &rows, 0.5).unwrap_err().to_string();
        prop_assert!(error.contains("class_activation: sigmoid"), "{}", error);
    }
}
